/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asking side of varlink (https://varlink.org), for the commands: blocking, under a deadline, and trusting nothing
 * that comes back. A host asks guests with it, and a guest may be hostile.
 *
 * 1. Connect, or adopt a connected stream socket.
 * 2. client_send() writes one request and starts the deadline, which holds for all of its replies too.
 * 3. client_receive() hands out reply after reply until one does not continue.
 *
 * A reply is at most FRAME_MAX bytes, nested at most CLIENT_DEPTH_MAX deep, without a name given twice, and an object
 * of `parameters` (object), `error` (an interface's name and a dot and a name) and `continues` (boolean) alone.
 * Anything else is CLIENT_PROTOCOL. After that the next client_receive() takes up behind the message at fault, for
 * streams on which a predecessor's replies may still be under way (virtio-serial). After CLIENT_NOT_REACHED and
 * CLIENT_FAILED there is nothing to do but close: a late reply would answer the next request.
 */
#ifndef EXC_CLIENT_H
#define EXC_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/frame.h"

enum {
        CLIENT_TIMEOUT_MS = 10 * 1000, /* what the commands grant a call */
        CLIENT_DEPTH_MAX = 8,
        CLIENT_ERROR_MAX = 256, /* characters of an error's name, with the NUL */

        /* Bytes of all replies to one request. A List of 4096 keys stays below 20 MiB, whatever their labels. */
        CLIENT_TOTAL_MAX = 32 * 1024 * 1024,
};

enum client_result {
        CLIENT_DONE,
        CLIENT_REFUSED,     /* the peer answered with an error */
        CLIENT_NOT_REACHED, /* no connection, it ended without an answer, or time is up */
        CLIENT_PROTOCOL,    /* the peer answered with what is no reply */
        CLIENT_FAILED,      /* our own fault: no memory, or a request that is too long */
};

struct client {
        int fd;
        int timeout_ms;      /* 1 or more, for a connect and for each request with its replies */
        int64_t deadline_ns; /* CLOCK_MONOTONIC */
        bool more;           /* the request allowed several replies */
        size_t received;     /* bytes of replies to it */
        int error;           /* negative errno behind the latest result but CLIENT_DONE and CLIENT_REFUSED; see below */
        char why[160];       /* a phrase that says it, nothing of the peer's in it */
        struct frames frames;
};

struct client_reply {
        json_t *parameters;           /* an object, empty where the peer sent none */
        char error[CLIENT_ERROR_MAX]; /* CLIENT_REFUSED: the name; letters, digits, '.', '-' and '_' only */
        bool continues;               /* another reply follows */
};

/*
 * Connects to the unix socket at `path`. `ret` must be closed whatever the result.
 * CLIENT_NOT_REACHED with `error` as connect(2) sets it, -ETIMEDOUT when its queue stays full. CLIENT_FAILED with
 * -ENAMETOOLONG when a socket's path cannot be that long.
 */
enum client_result client_connect(struct client *ret, const char *path, int timeout_ms);

/* Takes over a connected stream socket. */
void client_adopt(struct client *ret, int fd, int timeout_ms);

void client_close(struct client *client);

/*
 * Sends a call of `method` (with its interface). Takes `parameters` over in any case; NULL, as json_pack() without
 * memory leaves it, is CLIENT_FAILED. `more` allows several replies. CLIENT_PROTOCOL when bytes lie there that nobody
 * asked for.
 */
enum client_result client_send(struct client *client, const char *method, json_t *parameters, bool more);

/*
 * Waits for one reply. `ret` is filled for CLIENT_DONE and CLIENT_REFUSED, and its parameters are then the caller's to
 * drop.
 * CLIENT_NOT_REACHED: -ETIMEDOUT, -ECONNRESET (the peer closed), or what recv(2) sets.
 */
enum client_result client_receive(struct client *client, struct client_reply *ret);

/* The two for a method with one reply. */
enum client_result client_call(struct client *client, const char *method, json_t *parameters, struct client_reply *ret);

#endif
