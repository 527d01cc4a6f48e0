/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket behind SSH_AUTH_SOCK: serves one key pair (libpush/ssh_agent.h) to processes of this user. Nothing here
 * waits: the caller's loop asks what to poll for and passes back what poll(2) returned.
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
        AGENT_PEERS_MAX = 64, /* more wait in the listener's queue */
        AGENT_POLL_MAX = AGENT_PEERS_MAX + 1,
};

struct agent_peer {
        int fd;    /* below 0: the slot is free */
        pid_t pid; /* that has connected, as this process sees it; 0: in another namespace */
        uint8_t *received;
        size_t used, size;
        uint8_t answer[SSH_AGENT_ANSWER_MAX];
        size_t answer_length, answer_sent;
};

/* Writes the whole answer of one message; as ssh_agent_answer(). */
typedef void (*agent_answer)(void *context, pid_t peer, struct bytes message, struct writer *to);

struct agent_socket {
        int fd;
        uid_t uid; /* the only user that is served */
        const struct key_pair *pair;
        agent_answer answer; /* in place of the pair's; NULL: none */
        void *context;
        size_t n_admitted; /* peers so far */
        size_t n_signed;   /* signatures of the pair so far */
        struct agent_peer peers[AGENT_PEERS_MAX];
};

/* Listens at `path`, which must not exist, in a directory that no other user can enter. Negative errno on failure. */
int agent_socket_open(struct agent_socket *ret, const char *path, const struct key_pair *pair);

/* The descriptor for agent_socket_serve_at(), not blocking. Negative errno on failure. */
int agent_socket_listen(const char *path);

/* Serves on a listening socket, of which it takes ownership. */
void agent_socket_serve_at(struct agent_socket *ret, int fd, agent_answer answer, void *context);

/* Fills `ret` and returns the number of entries. */
size_t agent_socket_poll(const struct agent_socket *agent, struct pollfd ret[static AGENT_POLL_MAX]);

/* Serves the entries of `polled` that are ready. Between agent_socket_poll() and this the peers must not change. */
void agent_socket_serve(struct agent_socket *agent, const struct pollfd *polled, size_t n);

/* Closes all connections. The caller removes the socket's file. */
void agent_socket_close(struct agent_socket *agent);

#endif
