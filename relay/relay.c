/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

static void log_stage(const struct relay *relay, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void log_stage(const struct relay *relay, const char *format, ...) {
        char text[256];
        va_list arguments;

        if (!relay->log_stage)
                return;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        relay->log_stage(text);
}

static size_t pending(const struct relay_buffer *buffer) {
        return buffer->end - buffer->start;
}

static void drop(struct relay_buffer *buffer) {
        buffer->start = buffer->end = 0;
}

/* Reads what fits. The number of bytes, 0 at end of file, -ENOBUFS when the buffer is full, or another negative errno. */
static ssize_t buffer_read(struct relay_buffer *buffer, int fd) {
        ssize_t n;

        if (buffer->start > 0) {
                memmove(buffer->data, buffer->data + buffer->start, pending(buffer));
                buffer->end -= buffer->start;
                buffer->start = 0;
        }
        if (buffer->end == sizeof(buffer->data))
                return -ENOBUFS;
        do
                n = read(fd, buffer->data + buffer->end, sizeof(buffer->data) - buffer->end);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        buffer->end += (size_t)n;
        return n;
}

/* Writes what the peer takes. The number of bytes, or negative errno. */
static ssize_t buffer_write(struct relay_buffer *buffer, int fd, bool socket) {
        ssize_t n;

        do
                n = socket ? send(fd, buffer->data + buffer->start, pending(buffer), MSG_NOSIGNAL)
                           : write(fd, buffer->data + buffer->start, pending(buffer));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        buffer->start += (size_t)n;
        return n;
}

static void disconnect(struct relay *relay) {
        if (relay->agent_fd >= 0) {
                (void)close(relay->agent_fd); /* which removes it from the epoll set */
                log_stage(relay, "agent: connection closed, %" PRIu64 " bytes sent, %" PRIu64 " received",
                          relay->n_sent, relay->n_received);
        }
        relay->agent_fd = -EBADF;
        relay->agent_closed = false;
        relay->n_sent = relay->n_received = 0;
}

/* systemd listens on the socket, so connect(2) succeeds or fails at once. */
static int connect_agent(struct relay *relay) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd, r;

        memcpy(address.sun_path, relay->socket_path, strlen(relay->socket_path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
                r = -errno;
                (void)close(fd);
                log_stage(relay, "agent: connection to %s failed: %s", relay->socket_path, strerror(-r));
                return r;
        }
        relay->agent_fd = fd;
        log_stage(relay, "agent: connected to %s", relay->socket_path);
        return 0;
}

static bool port_hung_up(int fd) {
        struct pollfd p = {.fd = fd};

        return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* The port reports no host: there is none, or the kernel has not been notified yet. */
static int host_detached(struct relay *relay) {
        if (relay->agent_fd < 0 && pending(&relay->to_agent) == 0 && pending(&relay->to_host) == 0) {
                relay->detached_ms = 0;
                return -EAGAIN;
        }
        if (relay->detached_ms == 0)
                relay->detached_ms = clock_ms(CLOCK_MONOTONIC);
        relay->host_gone = clock_ms(CLOCK_MONOTONIC) - relay->detached_ms >= RELAY_DETACH_MS;
        if (!relay->host_gone)
                return -EAGAIN;
        log_stage(relay, "host: detached");
        return 0;
}

/*
 * The four directions and end_of_host() return 0 when something changed, so that the others may have work, -EAGAIN when
 * nothing did, or the negative errno that makes the port unusable.
 */

static int from_host(struct relay *relay) {
        ssize_t n;

        /* Bytes that come now would be the next host's. */
        if (relay->host_gone)
                return -EAGAIN;
        n = buffer_read(&relay->to_agent, relay->port_fd);
        if (n == 0 || (n == -ENOBUFS && port_hung_up(relay->port_fd)))
                return host_detached(relay);
        if (n == -ENOBUFS)
                return -EAGAIN;
        if (n > 0 || n == -EAGAIN)
                relay->detached_ms = 0;
        if (n < 0)
                return (int)n;
        if (relay->agent_fd < 0 && pending(&relay->to_agent) == (size_t)n)
                log_stage(relay, "host: %zd bytes read", n);
        return 0;
}

static int to_agent(struct relay *relay) {
        ssize_t n;

        if (pending(&relay->to_agent) == 0)
                return -EAGAIN;
        if (relay->agent_closed) /* its last answer goes first */
                return -EAGAIN;
        if (relay->agent_fd < 0) {
                relay->connect_error = connect_agent(relay);
                if (relay->connect_error < 0) {
                        if (!relay->host_gone)
                                return -EAGAIN;
                        drop(&relay->to_agent); /* no host is left to answer */
                        return 0;
                }
        }
        n = buffer_write(&relay->to_agent, relay->agent_fd, true);
        if (n < 0 && n != -EAGAIN) {
                /* The agent has closed. Its answer may still have to be read before the next connection. */
                relay->agent_closed = true;
                return 0;
        }
        if (n < 0)
                return -EAGAIN;
        relay->n_sent += (uint64_t)n;
        return 0;
}

static int from_agent(struct relay *relay) {
        ssize_t n;

        if (relay->agent_fd < 0)
                return -EAGAIN;
        n = buffer_read(&relay->to_host, relay->agent_fd);
        if (n > 0) {
                relay->n_received += (uint64_t)n;
                return 0;
        }
        if (n == -ENOBUFS || (n == -EAGAIN && !relay->agent_closed))
                return -EAGAIN;
        disconnect(relay);
        return 0;
}

static int to_host(struct relay *relay) {
        ssize_t n;

        if (pending(&relay->to_host) == 0)
                return -EAGAIN;
        if (relay->host_gone) {
                drop(&relay->to_host); /* else it would block the agent's end of file, and go to the next host */
                return 0;
        }
        n = buffer_write(&relay->to_host, relay->port_fd, false);
        return n < 0 ? (int)n : 0;
}

/* When all that the host wrote has been sent to the agent, or cannot be. */
static int end_of_host(struct relay *relay) {
        if (!relay->host_gone || pending(&relay->to_agent) > 0)
                return -EAGAIN;
        disconnect(relay);
        relay->host_gone = false;
        relay->detached_ms = 0;
        relay->connect_error = 0;
        return 0;
}

/* Copies until nothing is left to copy. */
static int copy_all(struct relay *relay) {
        int (*const directions[])(struct relay *) = {from_host, to_agent, from_agent, to_host, end_of_host};
        bool progress;

        do {
                progress = false;
                for (size_t i = 0; i < sizeof(directions) / sizeof(directions[0]); i++) {
                        int r = directions[i](relay);

                        if (r < 0 && r != -EAGAIN)
                                return r;
                        progress = progress || r == 0;
                }
        } while (progress);
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

        if ((relay->connect_error < 0 || relay->detached_ms != 0) && (timeout_ms < 0 || timeout_ms > RELAY_RETRY_MS))
                timeout_ms = RELAY_RETRY_MS;
        r = epoll_wait(relay->epoll_fd, events, 2, timeout_ms);
        if (r < 0 && errno != EINTR)
                return -errno;
        return copy_all(relay);
}

void relay_close(struct relay *relay) {
        disconnect(relay);
        (void)close(relay->epoll_fd);
}
