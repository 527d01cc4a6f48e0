/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key holder: one process a user, which makes the keys of connections by way of ~/.ssh/config, and serves them as an
 * ssh-agent. Each key is for one ssh process alone, by its pid (SO_PEERCRED): connections at once do not take each other's
 * keys. A private half never leaves the process. It ends a while after its last key has expired.
 *
 * To the agent's protocol it adds (draft-miller-ssh-agent section 4.7, SSH_AGENTC_EXTENSION):
 *
 *   "make@exc.excloud.in", uint32 pid              makes a key for that process: SSH_AGENT_SUCCESS, string blob
 *   "keep@exc.excloud.in", string blob, uint32 s   holds it for so many seconds more: SSH_AGENT_SUCCESS
 */
#ifndef EXC_KEY_HOLDER_H
#define EXC_KEY_HOLDER_H

#include <limits.h>
#include <sys/types.h>

#include "cli/private_directory.h"
#include "common/ssh_key.h"

#define KEY_HOLDER_SOCKET "agent.sock"
#define KEY_HOLDER_KNOWN_HOSTS "known_hosts" /* a directory: one file for each name that ssh is given */
#define KEY_HOLDER_ALIAS "exc-vm"            /* in all of them, whatever port and letters ssh is given */

#define KEY_HOLDER_MAKE "make@exc.excloud.in"
#define KEY_HOLDER_KEEP "keep@exc.excloud.in"

enum {
        KEY_HOLDER_KEYS_MAX = 256, /* then those go first whose process has ended */
        KEY_HOLDER_MAKE_S = 120,   /* until "keep": longer than a push takes */
        KEY_HOLDER_KEEP_MAX_S = 24 * 60 * 60,
        KEY_HOLDER_IDLE_S = 30, /* without keys */
};

/* Where the directory is: $XDG_RUNTIME_DIR/exc, or /tmp/exc-UID. 0, or a negative errno when it has complained. */
int key_holder_directory(char ret[static PRIVATE_PATH_MAX]);

/*
 * Makes the directory where it is missing, starts the holder where it does not run, and has it make a key for the process:
 * its public half. A connection for key_holder_keep(), or a negative errno when it has complained.
 */
int key_holder_make(const char *directory, pid_t owner, struct ssh_key *ret);

/* 0 or a negative errno. */
int key_holder_keep(int fd, const struct ssh_key *key, int seconds);

/* Serves on a listening socket until there is nothing to hold. */
void key_holder_serve(int fd);

#endif
