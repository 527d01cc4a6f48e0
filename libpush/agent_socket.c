/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/agent_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { RECEIVED_SIZE = 4096, LISTEN_QUEUE = 64 };

int agent_socket_listen(const char *path) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        int fd, r = 0;

        if (strlen(path) >= sizeof(at.sun_path))
                return -ENAMETOOLONG;
        memcpy(at.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, LISTEN_QUEUE) < 0)
                r = -errno;
        if (r == 0)
                return fd;
        (void)close(fd);
        return r;
}

static void begin(struct agent_socket *ret, int fd) {
        *ret = (struct agent_socket){.fd = fd, .uid = geteuid()};
        for (size_t i = 0; i < AGENT_PEERS_MAX; i++)
                ret->peers[i].fd = -EBADF;
}

int agent_socket_open(struct agent_socket *ret, const char *path, const struct key_pair *pair) {
        int fd = agent_socket_listen(path);

        if (fd < 0)
                return fd;
        begin(ret, fd);
        ret->pair = pair;
        return 0;
}

void agent_socket_serve_at(struct agent_socket *ret, int fd, agent_answer answer, void *context) {
        begin(ret, fd);
        ret->answer = answer;
        ret->context = context;
}

static void drop(struct agent_peer *peer) {
        (void)close(peer->fd);
        free(peer->received);
        *peer = (struct agent_peer){.fd = -EBADF};
}

static struct agent_peer *free_place(struct agent_socket *agent) {
        for (size_t i = 0; i < AGENT_PEERS_MAX; i++)
                if (agent->peers[i].fd < 0)
                        return &agent->peers[i];
        return NULL;
}

static void admit(struct agent_socket *agent) {
        struct agent_peer *peer = free_place(agent);
        struct ucred who;
        socklen_t length = sizeof(who);
        int fd;

        if (!peer)
                return;
        fd = accept4(agent->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0 || who.uid != agent->uid) {
                (void)close(fd);
                return;
        }
        *peer = (struct agent_peer){.fd = fd, .pid = who.pid};
        agent->n_admitted++;
}

/* Room for a message that needs `need` bytes, which ssh_agent_next() bounds. */
static bool make_room(struct agent_peer *peer, size_t need) {
        size_t size = need > RECEIVED_SIZE ? need : RECEIVED_SIZE;
        uint8_t *memory;

        if (size <= peer->size)
                return true;
        memory = realloc(peer->received, size);
        if (!memory)
                return false;
        peer->received = memory;
        peer->size = size;
        return true;
}

/* False when the peer is gone. */
static bool send_answer(struct agent_peer *peer) {
        while (peer->answer_sent < peer->answer_length) {
                ssize_t n = send(peer->fd, peer->answer + peer->answer_sent, peer->answer_length - peer->answer_sent,
                                 MSG_NOSIGNAL);

                if (n >= 0)
                        peer->answer_sent += (size_t)n;
                else if (errno != EINTR)
                        return errno == EAGAIN;
        }
        peer->answer_length = peer->answer_sent = 0;
        return true;
}

/* Answers the received messages, until an answer cannot be sent. False when the peer must be closed. */
static bool answer_all(struct agent_socket *agent, struct agent_peer *peer) {
        while (peer->answer_length == 0) {
                struct bytes rest = {peer->received, peer->used}, message;
                struct writer to = {.data = peer->answer, .size = sizeof(peer->answer)};
                size_t need = 0;

                switch (ssh_agent_next(&rest, &message, &need)) {
                case SSH_AGENT_NONE:
                        return make_room(peer, need);
                case SSH_AGENT_BAD:
                        return false;
                case SSH_AGENT_MESSAGE:
                        break;
                }
                if (agent->answer)
                        agent->answer(agent->context, peer->pid, message, &to);
                else if (ssh_agent_answer(agent->pair, message, &to))
                        agent->n_signed++;
                if (to.full)
                        return false;
                peer->answer_length = to.used;
                memmove(peer->received, rest.at, rest.left);
                peer->used = rest.left;
                if (!send_answer(peer))
                        return false;
        }
        return true;
}

static bool receive(struct agent_peer *peer) {
        ssize_t n;

        if (!make_room(peer, RECEIVED_SIZE))
                return false;
        n = recv(peer->fd, peer->received + peer->used, peer->size - peer->used, 0);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        peer->used += (size_t)n;
        return n > 0;
}

/* While an answer waits, nothing is read: a peer that does not read gets no more memory than one message. */
static bool serve(struct agent_socket *agent, struct agent_peer *peer) {
        if (peer->answer_length > 0) {
                if (!send_answer(peer))
                        return false;
        } else if (!receive(peer))
                return false;
        return answer_all(agent, peer);
}

size_t agent_socket_poll(const struct agent_socket *agent, struct pollfd ret[static AGENT_POLL_MAX]) {
        size_t n = 0, peers = 0;

        for (size_t i = 0; i < AGENT_PEERS_MAX; i++) {
                const struct agent_peer *peer = &agent->peers[i];

                if (peer->fd < 0)
                        continue;
                peers++;
                ret[n++] = (struct pollfd){.fd = peer->fd, .events = peer->answer_length > 0 ? POLLOUT : POLLIN};
        }
        if (peers < AGENT_PEERS_MAX)
                ret[n++] = (struct pollfd){.fd = agent->fd, .events = POLLIN};
        return n;
}

static struct agent_peer *peer_of(struct agent_socket *agent, int fd) {
        for (size_t i = 0; i < AGENT_PEERS_MAX; i++)
                if (agent->peers[i].fd == fd)
                        return &agent->peers[i];
        return NULL;
}

void agent_socket_serve(struct agent_socket *agent, const struct pollfd *polled, size_t n) {
        for (size_t i = 0; i < n; i++) {
                struct agent_peer *peer = peer_of(agent, polled[i].fd);

                if (polled[i].revents == 0)
                        continue;
                if (!peer)
                        admit(agent); /* last: a new peer must not take a slot that is served later in this loop */
                else if (!serve(agent, peer))
                        drop(peer);
        }
}

void agent_socket_close(struct agent_socket *agent) {
        for (size_t i = 0; i < AGENT_PEERS_MAX; i++)
                if (agent->peers[i].fd >= 0)
                        drop(&agent->peers[i]);
        if (agent->fd >= 0)
                (void)close(agent->fd);
        agent->fd = -EBADF;
}
