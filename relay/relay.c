/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t waiting(const struct relay_bytes *bytes) {
        return bytes->to - bytes->from;
}

static void drop(struct relay_bytes *bytes) {
        bytes->from = bytes->to = 0;
}

/* Reads what fits: the number of bytes, 0 at the end, negative errno. */
static ssize_t fill(struct relay_bytes *bytes, int fd) {
        ssize_t n;

        if (bytes->from > 0) {
                memmove(bytes->at, bytes->at + bytes->from, waiting(bytes));
                bytes->to -= bytes->from;
                bytes->from = 0;
        }
        if (bytes->to == sizeof(bytes->at))
                return -ENOBUFS;
        do
                n = read(fd, bytes->at + bytes->to, sizeof(bytes->at) - bytes->to);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        bytes->to += (size_t)n;
        return n;
}

/* Writes what the other side takes: how much that was, or negative errno. */
static ssize_t empty(struct relay_bytes *bytes, int fd, bool socket) {
        ssize_t n;

        do
                n = socket ? send(fd, bytes->at + bytes->from, waiting(bytes), MSG_NOSIGNAL)
                           : write(fd, bytes->at + bytes->from, waiting(bytes));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        bytes->from += (size_t)n;
        return n;
}

static void disconnect(struct relay *relay) {
        if (relay->agent_fd >= 0)
                (void)close(relay->agent_fd); /* which takes it out of the epoll set */
        relay->agent_fd = -EBADF;
        relay->agent_ended = false;
}

/* systemd holds the socket, so that there is a connection at once or not at all. */
static int connect_agent(struct relay *relay) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd, r;

        memcpy(to.sun_path, relay->socket_path, strlen(relay->socket_path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
            epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        relay->agent_fd = fd;
        return 0;
}

static bool hung_up(int fd) {
        struct pollfd p = {.fd = fd};

        return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* The port has no host, or does not know of it yet. */
static int host_away(struct relay *relay) {
        if (relay->agent_fd < 0 && waiting(&relay->to_agent) == 0 && waiting(&relay->to_host) == 0) {
                relay->away_ms = 0;
                return -EAGAIN;
        }
        if (relay->away_ms == 0)
                relay->away_ms = now_ms();
        relay->host_left = now_ms() - relay->away_ms >= RELAY_LEFT_MS;
        return relay->host_left ? 0 : -EAGAIN;
}

/* Takes what the host wrote. -EAGAIN when there is nothing to do about that; else what is wrong with the port. */
static int from_host(struct relay *relay) {
        ssize_t n;

        /* What comes now would be the next host's. */
        if (relay->host_left)
                return -EAGAIN;
        n = fill(&relay->to_agent, relay->port_fd);
        if (n == 0 || (n == -ENOBUFS && hung_up(relay->port_fd)))
                return host_away(relay);
        if (n == -ENOBUFS)
                return -EAGAIN;
        if (n > 0 || n == -EAGAIN)
                relay->away_ms = 0;
        return n < 0 ? (int)n : 0;
}

static int to_agent(struct relay *relay) {
        ssize_t n;

        if (waiting(&relay->to_agent) == 0)
                return -EAGAIN;
        if (relay->agent_ended) /* its last answer first */
                return -EAGAIN;
        if (relay->agent_fd < 0) {
                relay->refused = connect_agent(relay);
                if (relay->refused < 0) {
                        if (!relay->host_left)
                                return -EAGAIN;
                        drop(&relay->to_agent); /* nobody waits for an answer to it */
                        return 0;
                }
        }
        n = empty(&relay->to_agent, relay->agent_fd, true);
        if (n < 0 && n != -EAGAIN) {
                /* It has closed. There may be an answer to read before another connection is made. */
                relay->agent_ended = true;
                return 0;
        }
        return n < 0 ? -EAGAIN : 0;
}

static int from_agent(struct relay *relay) {
        ssize_t n;

        if (relay->agent_fd < 0)
                return -EAGAIN;
        n = fill(&relay->to_host, relay->agent_fd);
        if (n > 0)
                return 0;
        if (n == -ENOBUFS || (n == -EAGAIN && !relay->agent_ended))
                return -EAGAIN;
        disconnect(relay);
        return 0;
}

static int to_host(struct relay *relay) {
        ssize_t n;

        if (waiting(&relay->to_host) == 0)
                return -EAGAIN;
        if (relay->host_left) {
                drop(&relay->to_host); /* or it would be in the way of the agent's end, and of the next host */
                return 0;
        }
        n = empty(&relay->to_host, relay->port_fd, false);
        return n < 0 ? (int)n : 0;
}

/* Once all that the host wrote is with the agent, or cannot be. */
static int end_of_host(struct relay *relay) {
        if (!relay->host_left || waiting(&relay->to_agent) > 0)
                return -EAGAIN;
        disconnect(relay);
        relay->host_left = false;
        relay->away_ms = 0;
        relay->refused = 0;
        return 0;
}

/* Moves bytes until nothing can be moved. Negative errno where the port is at its end. */
static int move(struct relay *relay) {
        int (*const ways[])(struct relay *) = {from_host, to_agent, from_agent, to_host, end_of_host};
        bool moved;

        do {
                moved = false;
                for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                        int r = ways[i](relay);

                        if (r < 0 && r != -EAGAIN)
                                return r;
                        moved = moved || r == 0;
                }
        } while (moved);
        return 0;
}

int relay_open(struct relay *ret, int port_fd, const char *socket_path) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
        int r;

        if (strlen(socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return -ENAMETOOLONG;
        *ret = (struct relay){.socket_path = socket_path, .port_fd = port_fd, .agent_fd = -EBADF};
        ret->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (ret->epoll_fd < 0)
                return -errno;
        if (epoll_ctl(ret->epoll_fd, EPOLL_CTL_ADD, port_fd, &event) < 0) {
                r = -errno;
                (void)close(ret->epoll_fd);
                return r;
        }
        return 0;
}

int relay_step(struct relay *relay, int timeout_ms) {
        struct epoll_event events[2];
        int r;

        if ((relay->refused < 0 || relay->away_ms != 0) && (timeout_ms < 0 || timeout_ms > RELAY_RETRY_MS))
                timeout_ms = RELAY_RETRY_MS;
        r = epoll_wait(relay->epoll_fd, events, 2, timeout_ms);
        if (r < 0 && errno != EINTR)
                return -errno;
        return move(relay);
}

void relay_close(struct relay *relay) {
        disconnect(relay);
        (void)close(relay->epoll_fd);
}
