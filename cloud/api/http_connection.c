/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/socket.h>

#include "cloud/api/http_internal.h"
#include "cloud/api/journal.h"

static const int64_t limit_ms[PHASE_TIMED_] = {
        [PHASE_IDLE] = HTTP_IDLE_MS,
        [PHASE_RECEIVING] = HTTP_RECEIVE_MS,
        [PHASE_SENDING] = HTTP_SEND_MS,
};

static void leave(struct http_connection *connection) {
        if (connection->phase < PHASE_TIMED_)
                TAILQ_REMOVE(&connection->http->phases[connection->phase], connection, entry);
        connection->phase = PHASE_WORKING;
}

/* All in one phase have the same time, so its list stays in the order of their deadlines. */
static void enter(struct http_connection *connection, enum http_phase phase) {
        connection->phase = phase;
        if (phase >= PHASE_TIMED_)
                return;
        connection->deadline_ns = monotonic_ns() + limit_ms[phase] * 1000000;
        TAILQ_INSERT_TAIL(&connection->http->phases[phase], connection, entry);
}

void http_connection_enter(struct http_connection *connection, enum http_phase phase) {
        leave(connection);
        enter(connection, phase);
}

static struct http_connection *take_accepted(struct http *http, int fd) {
        struct http_connection *connection;

        TAILQ_FOREACH(connection, &http->accepted, entry) {
                if (connection->fd != fd)
                        continue;
                TAILQ_REMOVE(&http->accepted, connection, entry);
                return connection;
        }
        return NULL;
}

void http_connection_accepted(struct http *http, struct http_connection *connection) {
        /* One with the same descriptor was closed without having begun. */
        http_connection_drop(http, connection->fd);
        TAILQ_INSERT_TAIL(&http->accepted, connection, entry);
        if (http->n_connections++ == 0)
                (void)sd_event_source_set_enabled(http->tick, SD_EVENT_ONESHOT);
}

void http_connection_drop(struct http *http, int fd) {
        struct http_connection *connection = take_accepted(http, fd);

        if (!connection)
                return;
        http->n_connections--;
        free(connection);
}

void http_connections_drop_all(struct http *http) {
        while (!TAILQ_EMPTY(&http->accepted))
                http_connection_drop(http, TAILQ_FIRST(&http->accepted)->fd);
}

void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code) {
        struct http *http = context;
        struct http_connection *connection;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                connection = take_accepted(http,
                                           MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
                *socket_context = connection;
                connection->mhd = mhd;
                enter(connection, PHASE_IDLE);
                return;
        }
        connection = *socket_context;
        leave(connection);
        http->n_connections--;
        free(connection);
        *socket_context = NULL;
}

/*
 * libmicrohttpd finds the end of the stream, and closes the connection. One whose buffer is full of what it cannot parse yet,
 * as a chunk extension without end, it does not read: that one ends with its own time-out, which is 1 s at least.
 */
static void expire(struct http_connection *connection) {
        (void)shutdown(connection->fd, SHUT_RDWR);
        (void)MHD_set_connection_option(connection->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
        leave(connection);
}

void http_connections_expire(struct http *http, bool all) {
        int64_t now_ns = monotonic_ns();

        for (size_t i = 0; i < PHASE_TIMED_; i++) {
                struct http_connection *first;

                while ((first = TAILQ_FIRST(&http->phases[i])) != NULL &&
                       (first->deadline_ns <= now_ns || (all && i != PHASE_SENDING)))
                        expire(first);
        }
}
