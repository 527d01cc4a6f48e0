/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A varlink client (https://varlink.org) for the commands: blocking, with a deadline, and without trust in the replies.
 * Hosts call guests with it, and a guest may be hostile.
 *
 * 1. Connect, or adopt a connected stream socket.
 * 2. client_send() writes one request and starts the deadline, which covers its replies too.
 * 3. client_receive() returns one reply at a time, until one does not continue.
 *
 * A reply is at most FRAME_MAX bytes, nested at most CLIENT_DEPTH_MAX deep, names no member twice, and is an object of
 * `parameters` (object), `error` (the name of an interface, a dot and a name) and `continues` (boolean) alone. Anything
 * else is CLIENT_PROTOCOL. The next client_receive() then goes on after the wrong message, for streams on which replies
 * to an earlier client may still arrive (virtio-serial). After CLIENT_NOT_REACHED and CLIENT_FAILED the caller must
 * close: a late reply would answer the next request.
 */
#ifndef EXC_CLIENT_H
#define EXC_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/frame.h"

enum {
        CLIENT_TIMEOUT_MS = 10 * 1000, /* the commands' deadline for a call */
        CLIENT_DEPTH_MAX = 8,
        CLIENT_ERROR_MAX = 256, /* characters of an error's name, with the NUL */

        /* Bytes of all replies to one request. A List of 4096 keys stays below 20 MiB, whatever their labels. */
        CLIENT_TOTAL_MAX = 32 * 1024 * 1024,
};

enum client_result {
        CLIENT_DONE,
        CLIENT_REFUSED,     /* the peer answered with an error */
        CLIENT_NOT_REACHED, /* no connection, it ended without an answer, or the deadline has passed */
        CLIENT_PROTOCOL,    /* the answer is not a reply */
        CLIENT_FAILED,      /* a local failure: no memory, or a request that is too long */
};

struct client {
        int fd;
        int timeout_ms;      /* at least 1; for a connect, and for each request with its replies */
        int64_t deadline_ns; /* CLOCK_MONOTONIC */
        bool more;           /* the request allows several replies */
        size_t received;     /* bytes of replies to it */
        int error;           /* negative errno of the latest CLIENT_NOT_REACHED, _PROTOCOL or _FAILED; see below */
        char why[160];       /* the cause as text, with nothing from the peer */
        struct frames frames;
};

struct client_reply {
        json_t *parameters;           /* an object, empty where the peer sent none */
        char error[CLIENT_ERROR_MAX]; /* CLIENT_REFUSED: the name; letters, digits, '.', '-' and '_' only */
        bool continues;               /* another reply follows */
};

/*
 * Connects to the unix socket at `path`. `ret` must be closed in any case. CLIENT_NOT_REACHED with the `error` of
 * connect(2), -ETIMEDOUT when its queue stays full. CLIENT_FAILED with -ENAMETOOLONG when the path is too long for a
 * socket.
 */
enum client_result client_connect(struct client *ret, const char *path, int timeout_ms);

/* Takes ownership of a connected stream socket. */
void client_adopt(struct client *ret, int fd, int timeout_ms);

void client_close(struct client *client);

/*
 * Sends a call of `method` (with its interface). Takes ownership of `parameters` in any case; NULL, which json_pack()
 * returns without memory, is CLIENT_FAILED. `more` allows several replies. CLIENT_PROTOCOL when there are unread bytes.
 */
enum client_result client_send(struct client *client, const char *method, json_t *parameters, bool more);

/*
 * Waits for one reply. `ret` is filled for CLIENT_DONE and CLIENT_REFUSED, and the caller then drops its parameters.
 * CLIENT_NOT_REACHED: -ETIMEDOUT, -ECONNRESET (the peer closed), or the errno of recv(2).
 */
enum client_result client_receive(struct client *client, struct client_reply *ret);

/* Starts the deadline and the limit on bytes again, for a subscription whose replies come when something changes. */
void client_wait_again(struct client *client);

/* Both, for a method with one reply. */
enum client_result client_call(struct client *client, const char *method, json_t *parameters, struct client_reply *ret);

#endif
