/* SPDX-License-Identifier: Apache-2.0 */
/* A varlink service in the test's own process, which answers with what a function of the test says. */
#ifndef EXC_VARLINK_PEER_H
#define EXC_VARLINK_PEER_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEER_CONNECTIONS_MAX = 64 };

struct peer {
        /* The reply to a call, or NULL: the connection is closed, or with `hangs` nothing happens until the test's end. */
        json_t *(*answer)(const char *method, json_t *parameters, bool *hangs);
        int listener;
        pthread_t thread;
        pthread_mutex_t lock; /* answer() is called with it */
        size_t n;
        int fds[PEER_CONNECTIONS_MAX];
        pthread_t threads[PEER_CONNECTIONS_MAX];
};

struct peer_connection {
        struct peer *peer;
        int fd;
};

/* False: the connection is to be closed. */
static inline bool peer_reply(struct peer *peer, int fd, const char *message) {
        json_t *call = json_loads(message, 0, NULL), *reply;
        bool hangs = false, ok = false;
        char *text;

        (void)pthread_mutex_lock(&peer->lock);
        reply = peer->answer(json_string_value(json_object_get(call, "method")), json_object_get(call, "parameters"),
                             &hangs);
        (void)pthread_mutex_unlock(&peer->lock);
        json_decref(call);
        text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
        json_decref(reply);
        if (text)
                ok = send(fd, text, strlen(text) + 1, MSG_NOSIGNAL) > 0;
        free(text);
        return ok || hangs;
}

static inline void *peer_converse(void *context) {
        struct peer_connection connection = *(struct peer_connection *)context;
        char buffer[32 * 1024];
        size_t used = 0;

        free(context);
        for (;;) {
                char *end;
                ssize_t n = recv(connection.fd, buffer + used, sizeof(buffer) - used, 0);

                if (n <= 0)
                        break;
                used += (size_t)n;
                while ((end = memchr(buffer, '\0', used))) {
                        size_t length = (size_t)(end - buffer) + 1;

                        if (!peer_reply(connection.peer, connection.fd, buffer))
                                goto done;
                        used -= length;
                        memmove(buffer, buffer + length, used);
                }
        }
done:
        (void)shutdown(connection.fd, SHUT_RDWR);
        return NULL;
}

static inline void *peer_accept(void *context) {
        struct peer *peer = context;

        for (;;) {
                int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
                struct peer_connection *connection;

                if (fd < 0)
                        return NULL;
                if (peer->n == PEER_CONNECTIONS_MAX)
                        abort();
                connection = malloc(sizeof(*connection));
                *connection = (struct peer_connection){.peer = peer, .fd = fd};
                peer->fds[peer->n] = fd;
                (void)pthread_create(&peer->threads[peer->n], NULL, peer_converse, connection);
                peer->n++;
        }
}

static inline void peer_start(struct peer *peer, const char *path,
                              json_t *(*answer)(const char *method, json_t *parameters, bool *hangs)) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};

        *peer = (struct peer){.answer = answer};
        (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
        (void)unlink(path);
        (void)pthread_mutex_init(&peer->lock, NULL);
        peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
            listen(peer->listener, 16) < 0 || pthread_create(&peer->thread, NULL, peer_accept, peer) != 0)
                abort();
}

static inline void peer_stop(struct peer *peer) {
        (void)shutdown(peer->listener, SHUT_RDWR);
        (void)pthread_join(peer->thread, NULL);
        for (size_t i = 0; i < peer->n; i++) {
                (void)shutdown(peer->fds[i], SHUT_RDWR);
                (void)pthread_join(peer->threads[i], NULL);
                (void)close(peer->fds[i]);
        }
        (void)close(peer->listener);
        (void)pthread_mutex_destroy(&peer->lock);
}

#endif
