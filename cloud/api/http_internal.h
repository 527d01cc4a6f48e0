/* SPDX-License-Identifier: Apache-2.0 */
/* What http.c, http_connection.c, http_listen.c and http_exchange.c share. */
#ifndef EXC_API_HTTP_INTERNAL_H
#define EXC_API_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "cloud/api/head.h"
#include "cloud/api/http.h"
#include "cloud/api/process.h"
#include "cloud/api/worker.h"

/* What a connection is at, and so which limit it has. */
enum http_phase {
        PHASE_IDLE,
        PHASE_RECEIVING,
        PHASE_SENDING,
        PHASE_TIMED_, /* those before have a limit */
        PHASE_WORKING = PHASE_TIMED_,
};

struct http_connection {
        struct http *http;
        struct MHD_Connection *mhd; /* NULL before it has begun */
        int fd;                     /* libmicrohttpd's */
        bool forwards;              /* its X-Forwarded-For counts */
        char peer[REQUEST_ADDRESS_MAX];

        enum http_phase phase;
        int64_t deadline_ns;
        TAILQ_ENTRY(http_connection) entry; /* in the list of its phase, by deadline, or in that of the accepted ones */
};

TAILQ_HEAD(http_phase_list, http_connection);

struct http_listener {
        struct http *http;
        int fd;
        bool trusted; /* a unix socket: who may connect is the proxy */
        sd_event_source *source;
};

struct http {
        struct api *api;
        sd_event *event;
        struct MHD_Daemon *daemon;
        struct worker_pool *workers;
        sd_event_source *epoll, *again, *done, *tick, *stop_limit;

        size_t n_listeners;
        struct http_listener listener[HTTP_LISTENERS_MAX];
        bool accepting;                  /* the listeners are enabled */
        bool starved;                    /* there was no descriptor or memory for a connection: wait for a tick */
        struct http_phase_list accepted; /* libmicrohttpd has them, and has not begun with them: 1.0 does that later */

        size_t n_connections, n_connections_max;
        struct http_phase_list phases[PHASE_TIMED_];
        size_t n_exchanges;
        size_t body_bytes; /* of all bodies that are being received */
        bool stopping;
};

/* One request and its answer. */
struct http_exchange {
        struct worker_job job; /* first */
        struct http *http;
        struct http_connection *connection; /* NULL before the head is complete */
        struct MHD_Connection *mhd;
        enum {
                EXCHANGE_HEAD,
                EXCHANGE_REFUSED,
                EXCHANGE_BODY,
                EXCHANGE_WORKING,
                EXCHANGE_DONE,
                EXCHANGE_ANSWERED
        } state;

        char *target; /* as it was sent; NULL: no memory */
        struct request *request;
        char *authorization;

        char *body;
        size_t body_length, body_size;
        size_t discarded; /* bytes that are not kept */
        bool too_large, busy;

        char *text; /* of the answer */
        size_t text_length;
        bool close; /* the connection, after it */
        char allow[64];
};

/* Lets libmicrohttpd do what it can do now, and arranges for the next time. */
void http_run(struct http *http);

/* http_listen.c */
int http_listeners_start(struct http *http, const int *sockets, size_t n);
void http_listeners_stop(struct http *http);
/* Accepts or does not, by the number of connections. */
void http_listeners_balance(struct http *http);

/* http_connection.c */
/* Keeps a connection until libmicrohttpd begins with it; takes ownership. */
void http_connection_accepted(struct http *http, struct http_connection *connection);

/* Drops what is kept for a descriptor that libmicrohttpd refused, or all. */
void http_connection_drop(struct http *http, int fd);
void http_connections_drop_all(struct http *http);

void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
void http_connection_enter(struct http_connection *connection, enum http_phase phase);
/* Shuts down those whose time is over; all that carry no request out where `all` is set. */
void http_connections_expire(struct http *http, bool all);

/* http_exchange.c: the callbacks of libmicrohttpd */
void *http_exchange_begin(void *context, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_handle(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                     const char *version, const char *data, size_t *length, void **exchange);
void http_exchange_end(void *context, struct MHD_Connection *mhd, void **exchange,
                       enum MHD_RequestTerminationCode code);

/* http_answer.c */
enum MHD_Result http_answer(struct http_exchange *exchange);

#endif
