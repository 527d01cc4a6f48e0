/* SPDX-License-Identifier: Apache-2.0 */
/* Which user a process runs as, and which SSH connection it serves. */
#ifndef EXC_IDENTITY_H
#define EXC_IDENTITY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/claim.h"

#define HELPER_USER "exc-authorized-keys"
#define HELPER_PROGRAM PKGLIBEXECDIR "/exc-authorized-keys"
#define CHAIN_PROGRAM PKGLIBEXECDIR "/exc-authorized-keys-chain" /* where another command runs after it */

/* What both programs know of the sshd process that runs them. */
struct caller {
        int result;              /* 0, or the negative errno why `id` is not known */
        struct connection_id id; /* valid where `result` is 0 */
};

enum { CALLER_TEXT_MAX = 48 }; /* two 64-bit numbers and a colon, with the NUL */

/*
 * Identifies the calling process's parent. `result` is
 * -ESRCH: there is none (pid 1 or less), or it changed meanwhile. -EACCES: /proc hides it (hidepid).
 */
void caller_identify(struct caller *ret);

/* The connection; NULL where it is not known. */
static inline const struct connection_id *caller_connection(const struct caller *caller) {
        return caller->result < 0 ? NULL : &caller->id;
}

/* "PID:START", or "errno:NUMBER" where it is not known; and back. The second is false for anything else. */
void caller_to_text(const struct caller *caller, char ret[static CALLER_TEXT_MAX]);
bool caller_from_text(const char *text, struct caller *ret);

/*
 * Becomes the user `name` for good: groups, group and user, real, effective and saved, and USER, LOGNAME and HOME as
 * sshd sets them for a command (subprocess() in OpenSSH's misc.c). Where the caller is not root, it must be that user
 * already.
 * -ENOENT: no such user. -EPERM: the caller is neither root nor that user.
 */
int identity_become(const char *name);

/*
 * The path of the program `name` next to the running one, whose argv[0] is `argv0`; symlinks are followed. Where argv[0]
 * has no directory, it is the one of installed programs. Negative errno.
 */
int identity_sibling(const char *argv0, const char *name, char ret[static PATH_MAX]);

#endif
