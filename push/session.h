/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command that logs in, with a key that exists nowhere else and the guest's host keys.
 *
 * 1. A directory of mode 0700 is made in $XDG_RUNTIME_DIR, or in /tmp where that is not safe, with the agent's socket
 *    (SSH_AUTH_SOCK) and the file of known hosts (EXC_KNOWN_HOSTS), as far as requested.
 * 2. The command is started in this process group, so it has the terminal, and the agent serves it.
 * 3. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to it. The terminal's own signals reach it directly.
 * 4. When it ends, the agent stops and the directory is removed.
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
