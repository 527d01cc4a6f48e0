/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to one address, by libcurl: plain HTTP to port 80 of a literal IPv4 or IPv6 address, and to nothing else. No proxy, no
 * redirect, no name, no compression, no cookie, no credential of a file. Each socket is compared with that address before it is
 * connected, whatever libcurl thinks.
 */
#ifndef EXC_METADATA_HTTP_H
#define EXC_METADATA_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        HTTP_PORT = 80,
        HTTP_BODY_MAX = 64 * 1024, /* bytes of an answer */
        HTTP_HEAD_MAX = 16 * 1024, /* bytes of its status line and headers */
        HTTP_REQUEST_MS = 1000,    /* for a request and its answer */
        HTTP_TOTAL_MS = 5000,      /* for all that is asked */
        HTTP_WHY_MAX = 160,
        HTTP_PATH_MAX = 128,
        HTTP_TOKEN_MAX = 512 + 1, /* with the NUL */
};

struct http_request {
        bool put;          /* for a token; else GET */
        const char *path;  /* "/latest/…" */
        const char *token; /* that it goes with; NULL: none */
};

struct http_answer {
        long status;
        size_t length;
        char body[HTTP_BODY_MAX + 1]; /* with a NUL behind it, and perhaps others in it */
};

/*
 * Sends a request. 0: there is a whole answer, of any status. Negative errno, with the cause in `ret_why`, in printable ASCII and
 * with nothing of the peer's: -ETIMEDOUT; -EMSGSIZE, longer than the limits; -EPROTO, no HTTP; -ENETUNREACH, -ECONNREFUSED and
 * other errors of connect(2), -EIO where libcurl does not say.
 */
typedef int (*http_ask)(void *context, const struct http_request *request, struct http_answer *ret,
                        char ret_why[static HTTP_WHY_MAX]);

/* One address. Starts with http_open(), and ends with http_close(). */
struct http {
        void *curl;
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } peer;
        char base[64 + 16];  /* "http://[fd00:ec2::254]" */
        int64_t deadline_ms; /* CLOCK_MONOTONIC */
        bool reached;        /* an answer came */

        /* Of the request that runs. */
        struct http_answer *answer;
        size_t head;
        bool too_long;
};

/* Prepares this process for libcurl: before it confines itself. False: libcurl cannot be used. */
bool http_start(void);
void http_stop(void);

/* -EINVAL: not a literal address; -ENOMEM. */
int http_open(struct http *http, const char *address, int64_t deadline_ms);
void http_close(struct http *http);

/* An http_ask, whose context is a struct http. */
int http_send(void *context, const struct http_request *request, struct http_answer *ret,
              char ret_why[static HTTP_WHY_MAX]);

/*
 * Waits until there is a route to one of `n` literal addresses, at most until `deadline_ms`. No packet is sent. False: there is
 * none yet.
 */
bool http_await_route(const char *const *addresses, size_t n, int64_t deadline_ms);

#endif
