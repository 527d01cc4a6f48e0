/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program is one that sshd would run: safe_path() in OpenSSH's misc.c, as strict as upstream has it. */
#ifndef EXC_PATH_CHECK_H
#define EXC_PATH_CHECK_H

#include <limits.h>
#include <sys/types.h>

enum path_fault {
        PATH_SAFE,
        PATH_RELATIVE,
        PATH_MISSING,     /* `error` says why */
        PATH_NOT_REGULAR, /* the program is a folder, a FIFO or something like it */
        PATH_FOREIGN,     /* a part of the path is not root's */
        PATH_WRITABLE,    /* its group or everybody may write a part of the path */
};

struct path_check {
        enum path_fault fault;
        char at[PATH_MAX]; /* the part that is at fault, or the program itself, symbolic links followed */
        uid_t owner;       /* of that part */
        mode_t mode;       /* of that part, permissions alone */
        int error;         /* positive errno */
};

/* Looks at `path` and each folder above it, from the program upwards. */
void path_check(const char *path, struct path_check *ret);

#endif
