/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether only root can change a program: safe_path() in OpenSSH's misc.c, by which sshd decides whether it runs an
 * AuthorizedKeysCommand. exc-authorized-keys-chain applies it to the other command, and doctor to all programs.
 */
#ifndef EXC_SAFE_PATH_H
#define EXC_SAFE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum safe_path_fault {
        SAFE_PATH_OK,
        SAFE_PATH_ROOT_GROUP,  /* safe, but the group root may write: sshd of Debian accepts that, upstream does not */
        SAFE_PATH_RELATIVE,    /* not absolute */
        SAFE_PATH_MISSING,     /* `error` says why */
        SAFE_PATH_NOT_REGULAR, /* the program is a directory, a FIFO or the like */
        SAFE_PATH_FOREIGN,     /* a component is not root's */
        SAFE_PATH_WRITABLE,    /* everybody, or a group but root's, may write a component */
};

struct safe_path {
        enum safe_path_fault fault;
        char at[PATH_MAX];      /* the component at fault, or the program; symbolic links followed */
        uid_t owner;            /* of `at` */
        mode_t mode;            /* of `at`, permissions alone */
        char program[PATH_MAX]; /* what to execute, symbolic links followed; "" where it is missing */
        mode_t program_mode;    /* its permissions */
        int error;              /* SAFE_PATH_MISSING: positive errno */
};

/* Checks `path` and each directory above it, from the program upwards. True: only root can change it, so run it. */
bool safe_path(const char *path, struct safe_path *ret);

/* The cause and the next step, for a message that names `at` before it. */
const char *safe_path_text(const struct safe_path *path);

#endif
