/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: libmicrohttpd in an sd-event loop. The loop's thread alone calls libmicrohttpd; complete requests go to
 * the worker threads (worker.h), and the connection is suspended for that time.
 *
 * Connections are accepted here, not by libmicrohttpd: on unix sockets and loopback addresses, as many as descriptors and
 * MaxConnections= allow; more wait in the sockets' queues. libmicrohttpd's own time-out is one of inactivity, which a byte
 * now and then escapes; here each phase of a request has a limit (enum http_phase).
 */
#ifndef EXC_API_HTTP_H
#define EXC_API_HTTP_H

#include <systemd/sd-event.h>

#include "cloud/api/api.h"

enum {
        HTTP_IDLE_MS = 120 * 1000,   /* without a request line, also one that is half received */
        HTTP_RECEIVE_MS = 30 * 1000, /* from the request line to the end of the body */
        HTTP_SEND_MS = 60 * 1000,    /* for the answer to be read */
        HTTP_STOP_MS = 25 * 1000,    /* for requests that are carried out when the server stops */
        HTTP_POOL_SIZE = 16 * 1024,  /* bytes of libmicrohttpd's memory of a connection, which headers must fit in */
        HTTP_BODIES_MAX = 64 << 20,  /* bytes of all bodies that are received at a time */
        HTTP_DISCARD_MAX = 1 << 20,  /* bytes of a body of unknown length that are read to answer 413 */
        HTTP_LISTENERS_MAX = 8,
        HTTP_DESCRIPTORS_EACH = 4,     /* that a worker may have open at a time */
        HTTP_DESCRIPTORS_RESERVE = 64, /* of the rest of the program */
};

struct http;

/*
 * Starts the server in `event`. `sockets` are listening stream sockets, unix or of a loopback address, which it takes
 * ownership of in any case. Negative errno; what is wrong is in the journal.
 */
int http_start(struct api *api, sd_event *event, const int *sockets, size_t n, struct http **ret);

/* Takes no more requests, finishes those that are carried out, and then ends the event loop. */
void http_stop(struct http *http);

/* After the loop has ended with 0. With another result requests are still carried out: exit without it. */
void http_free(struct http *http);

/* Opens a listening socket for "127.0.0.1:8080" or "[::1]:8080". Negative errno; -EINVAL: it is not of that form. */
int http_listen(const char *address);

#endif
