/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command that is to log in: with a key that exists nowhere else, and knowing the guest's host keys.
 *
 * 1. A folder of mode 0700 is made in $XDG_RUNTIME_DIR, or in /tmp where that is not safe, with the agent's socket
 *    (SSH_AUTH_SOCK) and the file of known hosts (EXC_KNOWN_HOSTS), whichever is wanted.
 * 2. The command is started in this process group, so the terminal is its own, and the agent serves it.
 * 3. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to it. One that the terminal sent has reached it already.
 * 4. When it ends, the agent ends, and the folder goes.
 */
#ifndef EXC_SESSION_H
#define EXC_SESSION_H

#include "libpush/answer.h"
#include "libpush/key_pair.h"

enum {
        SESSION_NOT_EXECUTABLE = 126, /* as the shell and env(1) have it */
        SESSION_NOT_FOUND = 127,
        SESSION_SIGNALLED = 128, /* and the signal's number added */
};

struct session {
        char *const *argv;
        const struct key_pair *pair;       /* NULL: no agent */
        const char *known_hosts;           /* a name; NULL: no such file */
        const struct host_keys *host_keys; /* for that */
};

/* The command's exit status, or EXIT_OWN_FAILURE when the reason is printed. */
int session_run(const struct session *session);

#endif
