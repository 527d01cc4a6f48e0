/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A varlink server (https://varlink.org) of few connections: one thread each, blocking, on unix sockets.
 *
 * 1. A peer's uid is read from the kernel before a byte of its is; one that is not allowed gets PermissionDenied of the
 *    interface and is disconnected.
 * 2. Calls on one connection are carried out one at a time, in order, each by its method's function in the connection's
 *    thread. Several threads call the same function: what they share, the program locks. How long a call may take is the
 *    method's own business.
 * 3. A message has at most FRAME_MAX bytes (wire/frame.h). One that is no call (wire/call.h), or is too long, ends the
 *    connection, and so does a message that is half received for SERVE_HALF_MS, a reply that is not read for as long, and
 *    a peer that sends nothing for the idle limit.
 * 4. At most SERVE_CONNECTIONS_MAX at a time: others wait in the socket's queue until one ends.
 * 5. org.varlink.service is the server's own.
 */
#ifndef EXC_SERVE_H
#define EXC_SERVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wire/frame.h"

enum {
        SERVE_CONNECTIONS_MAX = 256,
        SERVE_SOCKETS_MAX = 8,
        SERVE_HALF_MS = 5 * 1000,
        SERVE_IDLE_MS = 60 * 1000, /* the default */
        SERVE_STOP_MS = 10 * 1000, /* the default */
};

struct serve_connection;

/* One call, valid until its function returns. */
struct serve_call {
        const char *method; /* with its interface */
        json_t *parameters; /* an object, empty where the message has none; the caller's */
        bool more;          /* several replies are welcome */
        uid_t uid;          /* the peer's */
        pid_t pid;
        struct serve_connection *connection;
};

/* Carries out one call, and replies to it exactly once, perhaps after parts. `context` is that of the settings. */
typedef void (*serve_function)(void *context, struct serve_call *call);

struct serve_method {
        const char *name; /* with its interface; NULL ends a table */
        serve_function call;
};

/* All that it points to must outlive serve_run(). */
struct serve_settings {
        const struct serve_method *methods;
        void *context;

        const char *interface;      /* "in.excloud.Signer" */
        const char *interface_text; /* its .varlink file */
        const char *product, *version;

        const uid_t *peers; /* who may connect; none: nobody */
        size_t n_peers;
        /* Called for a peer that is not, in the thread of serve_run(). NULL: it is not reported. */
        void (*denied)(void *context, uid_t uid, pid_t pid);

        const int *sockets; /* that listen, 1 to SERVE_SOCKETS_MAX; the caller's */
        size_t n_sockets;

        /* The server stops when it becomes readable: an eventfd(2) or a signalfd(2). It is not read. */
        int stop_fd;

        int idle_ms; /* 0: SERVE_IDLE_MS */
        int stop_ms; /* 0: SERVE_STOP_MS; how long calls that are being carried out may go on when the server stops */
};

/*
 * Serves until `stop_fd` is readable. Connections without a call end at once then; the rest when they have replied, within
 * stop_ms. 0: all have ended. -ETIMEDOUT: calls are still running, so that the program must exit without freeing what
 * they use. Other negative errno: the sockets cannot be polled, or no memory at the beginning.
 */
int serve_run(const struct serve_settings *settings);

/*
 * Replies. Each takes ownership of `parameters`; NULL, which json_pack() returns without memory, is -ENOMEM. The peer is
 * waited for at most SERVE_HALF_MS. 0; -E2BIG: longer than FRAME_MAX, nothing was sent and another reply may be; else the
 * connection is lost, and the method should return: -ENOMEM, -ETIMEDOUT, -EPIPE and the like. Functions that have no
 * next step may ignore it.
 */
int serve_reply(struct serve_call *call, json_t *parameters);
/* One of several, not the last. For calls with `more` alone. */
int serve_reply_part(struct serve_call *call, json_t *parameters);
/* `error`: with its interface. */
int serve_error(struct serve_call *call, const char *error, json_t *parameters);
/* org.varlink.service.InvalidParameter */
int serve_invalid_parameter(struct serve_call *call, const char *parameter);

/*
 * Waits, within a call, until `fd` is readable (-1: none is asked about). 1: it is. 0: `timeout_ms` have passed (-1: never).
 * -ECONNRESET: the peer is gone. -ESHUTDOWN: the server stops.
 */
int serve_wait(struct serve_call *call, int fd, int timeout_ms);

/*
 * The sockets that systemd passed to this process (sd_listen_fds(3)), close-on-exec from now on; the variables are unset.
 * Returns how many, 0 where there are none. -EINVAL: the variables are wrong, or they are more than `max`.
 */
int serve_inherited(int *ret, size_t max);

/* Opens a unix socket at `path` that listens, in place of one that is there. A descriptor, or negative errno. */
int serve_listen(const char *path, mode_t mode);

#endif
