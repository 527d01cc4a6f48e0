/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket behind SSH_AUTH_SOCK: serves one key pair (libpush/ssh_agent.h) to processes of this user. Nothing here
 * waits; whoever has the loop asks what to poll for, and hands back what poll(2) found.
 */
#ifndef EXC_AGENT_SOCKET_H
#define EXC_AGENT_SOCKET_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libpush/key_pair.h"
#include "libpush/ssh_agent.h"

enum {
        AGENT_PEERS_MAX = 16, /* more wait in the listener's queue */
        AGENT_POLL_MAX = AGENT_PEERS_MAX + 1,
};

struct agent_peer {
        int fd; /* below 0: the place is free */
        uint8_t *received;
        size_t used, size;
        uint8_t answer[SSH_AGENT_ANSWER_MAX];
        size_t answer_length, answer_sent;
};

struct agent_socket {
        int fd;
        uid_t uid; /* whom it serves */
        const struct key_pair *pair;
        struct agent_peer peers[AGENT_PEERS_MAX];
};

/* Listens at `path`, which must not exist, in a folder that nobody else may enter. Negative errno on failure. */
int agent_socket_open(struct agent_socket *ret, const char *path, const struct key_pair *pair);

/* Fills `ret`, of AGENT_POLL_MAX, and returns how many. */
size_t agent_socket_poll(const struct agent_socket *agent, struct pollfd ret[static AGENT_POLL_MAX]);

/* Does what `polled`, as agent_socket_poll() filled it, shows to be ready. Nothing may have changed in between. */
void agent_socket_serve(struct agent_socket *agent, const struct pollfd *polled, size_t n);

/* Drops all peers. The socket's file is the caller's to remove. */
void agent_socket_close(struct agent_socket *agent);

#endif
