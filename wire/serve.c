/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "wire/serve_internal.h"

enum {
        STACK_SIZE = 1024 * 1024,
        PAUSE_MS = 100, /* when descriptors, memory or threads are short */
};

struct serve {
        const struct serve_settings *settings;
        int ended_fd; /* eventfd(2): a thread has ended */
        size_t n;
        struct serve_connection *first;
        int64_t paused_until_ns;
        pthread_mutex_t lock; /* of `ended` of each connection */
};

/* --- threads ------------------------------------------------------------------------------------------------------ */

static void *run_thread(void *argument) {
        struct serve_connection *connection = argument;
        struct serve *serve = connection->serve;
        uint64_t one = 1;

        serve_connection_run(connection);
        /* At once, since the peer may wait for it; the rest when the thread has been joined. */
        (void)close(connection->fd);
        (void)pthread_mutex_lock(&serve->lock);
        connection->ended = true;
        (void)pthread_mutex_unlock(&serve->lock);
        (void)!write(serve->ended_fd, &one, sizeof(one));
        return NULL;
}

static int start_thread(struct serve_connection *connection) {
        pthread_attr_t attributes;
        int error;

        error = pthread_attr_init(&attributes);
        if (error == 0) {
                error = pthread_attr_setstacksize(&attributes, STACK_SIZE);
                if (error == 0)
                        error = pthread_create(&connection->thread, &attributes, run_thread, connection);
                (void)pthread_attr_destroy(&attributes);
        }
        return -error;
}

static bool has_ended(struct serve *serve, const struct serve_connection *connection) {
        bool ended;

        (void)pthread_mutex_lock(&serve->lock);
        ended = connection->ended;
        (void)pthread_mutex_unlock(&serve->lock);
        return ended;
}

/* Joins the threads that have ended. */
static void reap(struct serve *serve) {
        struct serve_connection **at = &serve->first;
        uint64_t count;

        (void)!read(serve->ended_fd, &count, sizeof(count));
        while (*at) {
                struct serve_connection *connection = *at;

                if (!has_ended(serve, connection)) {
                        at = &connection->next;
                        continue;
                }
                (void)pthread_join(connection->thread, NULL);
                *at = connection->next;
                serve->n--;
                free(connection);
        }
}

/* --- peers -------------------------------------------------------------------------------------------------------- */

static bool allowed(const struct serve_settings *settings, uid_t uid) {
        for (size_t i = 0; i < settings->n_peers; i++)
                if (settings->peers[i] == uid)
                        return true;
        return false;
}

/* In place of an answer, so that the client prints why. A socket that was just accepted has room for it. */
static void deny(const struct serve_settings *settings, int fd, const struct ucred *peer) {
        json_t *message;
        char name[128], *text;

        if (settings->denied)
                settings->denied(settings->context, peer->uid, peer->pid);
        (void)snprintf(name, sizeof(name), "%s.PermissionDenied", settings->interface);
        message = json_pack("{ss s{ss}}", "error", name, "parameters", "message",
                            "this user may not use the socket; see its program's configuration");
        text = message ? json_dumps(message, JSON_COMPACT) : NULL;
        json_decref(message);
        if (text)
                (void)send(fd, text, strlen(text) + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        free(text);
}

/* Takes ownership of `fd`. */
static int begin_connection(struct serve *serve, int fd) {
        struct serve_connection *connection;
        struct ucred peer;
        socklen_t size = sizeof(peer);
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof(peer)) {
                (void)close(fd);
                return 0;
        }
        if (!allowed(serve->settings, peer.uid)) {
                deny(serve->settings, fd, &peer);
                (void)close(fd);
                return 0;
        }
        connection = calloc(1, sizeof(*connection));
        if (!connection) {
                (void)close(fd);
                return -ENOMEM;
        }
        *connection = (struct serve_connection){.settings = serve->settings,
                                                .fd = fd,
                                                .uid = peer.uid,
                                                .pid = peer.pid,
                                                .call = CALL_INIT,
                                                .serve = serve};
        r = start_thread(connection);
        if (r < 0) {
                (void)close(fd);
                free(connection);
                return r;
        }
        connection->next = serve->first;
        serve->first = connection;
        serve->n++;
        return 0;
}

static void accept_one(struct serve *serve, int socket_fd) {
        int fd = accept4(socket_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r = 0;

        if (fd >= 0)
                r = begin_connection(serve, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                r = -errno;
        if (r < 0)
                serve->paused_until_ns = clock_ns(CLOCK_MONOTONIC) + PAUSE_MS * NS_PER_MS;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* One turn. 1: the server stops. */
static int turn(struct serve *serve) {
        const struct serve_settings *settings = serve->settings;
        int pause_ms = serve_until(serve->paused_until_ns);
        bool accepting = pause_ms == 0 && serve->n < SERVE_CONNECTIONS_MAX;
        struct pollfd p[2 + SERVE_SOCKETS_MAX] = {
                {.fd = settings->stop_fd, .events = POLLIN},
                {.fd = serve->ended_fd, .events = POLLIN},
        };

        for (size_t i = 0; i < settings->n_sockets; i++)
                p[2 + i] = (struct pollfd){.fd = accepting ? settings->sockets[i] : -1, .events = POLLIN};
        if (poll(p, 2 + settings->n_sockets, pause_ms > 0 ? pause_ms : -1) < 0)
                return errno == EINTR ? 0 : -errno;
        if (p[0].revents)
                return 1;
        if (p[1].revents)
                reap(serve);
        for (size_t i = 0; i < settings->n_sockets; i++)
                if (p[2 + i].revents && serve->n < SERVE_CONNECTIONS_MAX)
                        accept_one(serve, settings->sockets[i]);
        return 0;
}

/* Every thread sees stop_fd by itself. */
static int wait_for_threads(struct serve *serve) {
        int stop_ms = serve->settings->stop_ms > 0 ? serve->settings->stop_ms : SERVE_STOP_MS;
        int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + stop_ms * NS_PER_MS;

        for (;;) {
                struct pollfd p = {.fd = serve->ended_fd, .events = POLLIN};

                reap(serve);
                if (serve->n == 0)
                        return 0;
                if (serve_until(deadline_ns) == 0)
                        return -ETIMEDOUT;
                if (poll(&p, 1, serve_until(deadline_ns)) < 0 && errno != EINTR)
                        return -errno;
        }
}

int serve_run(const struct serve_settings *settings) {
        /* On the heap: threads that are still running when this returns go on using it. */
        struct serve *serve;
        int r = 0, w;

        if (settings->n_sockets == 0 || settings->n_sockets > SERVE_SOCKETS_MAX)
                return -EINVAL;
        for (size_t i = 0; i < settings->n_sockets; i++)
                if (fcntl(settings->sockets[i], F_SETFL, O_NONBLOCK) < 0)
                        return -errno;
        serve = calloc(1, sizeof(*serve));
        if (!serve)
                return -ENOMEM;
        *serve = (struct serve){.settings = settings, .lock = PTHREAD_MUTEX_INITIALIZER};
        serve->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (serve->ended_fd < 0) {
                r = -errno;
                free(serve);
                return r;
        }
        while (r == 0)
                r = turn(serve);
        w = wait_for_threads(serve);
        if (w < 0)
                return r < 0 ? r : w;
        (void)close(serve->ended_fd);
        (void)pthread_mutex_destroy(&serve->lock);
        free(serve);
        return r < 0 ? r : 0;
}
