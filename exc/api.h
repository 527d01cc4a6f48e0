/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the compute API, one at a time, over one connection that is kept. Bounded: 1 MiB an answer, 10 s to connect, 40 s
 * in all (the API answers within 20 s). No redirect is followed, no certificate goes unchecked, no request is sent again.
 *
 * What the server sent may hold anything that is UTF-8: print it through wire/terminal.h.
 */
#ifndef EXC_EXC_API_H
#define EXC_EXC_API_H

#include <jansson.h>
#include <stdbool.h>

#include "exc/command.h"
#include "exc/config.h"

enum {
        API_ANSWER_MAX = 1024 * 1024, /* bytes */
        API_DEPTH_MAX = 8,
        API_CONNECT_MS = 10 * 1000,
        API_TOTAL_MS = 40 * 1000,
};

struct api;

/* How a request ended. */
enum api_end {
        API_ANSWERED,      /* 2xx, with a body that is JSON or empty */
        API_REFUSED,       /* an error of the API, with its body */
        API_FOREIGN,       /* an answer that is not the API's, as a proxy's own 502: `status` is the HTTP status */
        API_NO_NAME,       /* the endpoint's host name has no address */
        API_NO_PROXY,      /* the proxy's name, or the proxy, cannot be reached, or it refuses */
        API_NO_CONNECTION, /* nobody listens, no route */
        API_TLS,           /* certificate or handshake */
        API_TIMED_OUT,     /* no answer in time: whether a POST was carried out is not known */
        API_CUT,           /* the connection ended before the answer: the same */
        API_TOO_LARGE,     /* the answer has more than API_ANSWER_MAX bytes */
        API_OWN_FAILURE,   /* no memory, a file that cannot be read */
};

struct api_answer {
        enum api_end end;
        long status;          /* of HTTP; 0: none */
        json_t *body;         /* an object or array; NULL: none */
        char error[64];       /* API_REFUSED: "AccessDenied" and so on */
        char message[1024];   /* the server's sentence; for other ends what libcurl or the system says */
        char request_id[128]; /* "": none */
        long retry_after;     /* seconds; 0: the server names none */
};

/*
 * Reads the configuration. EXIT_DONE and an api to close, or a status when it has complained: no endpoint, not logged in, plain
 * http to another machine.
 */
int api_open(const struct options *options, struct api **ret);

/* The same with this configuration; `config` is copied. Without a token, requests have none. */
int api_open_with(const struct options *options, const struct config *config, struct api **ret);

void api_close(struct api *api);

const struct config *api_config(const struct api *api);

/* What requests are for, as "VM 42": for people who wait longer than a second. */
void api_set_purpose(struct api *api, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For completion: a shorter deadline than API_TOTAL_MS. */
void api_set_deadline(struct api *api, int total_ms);

int api_deadline(const struct api *api);

/*
 * One request. Takes ownership of `body`; NULL is none. `path` begins with '/' and is made by api_path(). True when it was
 * API_ANSWERED. Fills `ret` in any case; api_answer_clear() drops it, and wipes what was received.
 */
bool api_call(struct api *api, const char *method, const char *path, json_t *body, struct api_answer *ret);

void api_answer_clear(struct api_answer *answer);

/*
 * "/a/b/c" of segments, ending with NULL, each percent-encoded but for the unreserved characters (RFC 3986 section 2.3). The
 * caller frees it; NULL without memory, and for empty segments, "." and "..", which cannot be named in a path.
 */
char *api_path(const char *segment, ...) __attribute__((sentinel));

/* Adds ?name=value, or &name=value. Takes ownership of `path`, which may be NULL; NULL without memory. */
char *api_path_query(char *path, const char *name, const char *value);

/*
 * All items of a list, page by page: an array that the caller drops. NULL: `ret` has the answer that failed. Takes ownership of
 * `path`. A list of more than 1,000 pages, or that takes longer than twice the deadline of one request, is a failure.
 */
json_t *api_list(struct api *api, char *path, struct api_answer *ret);

#endif
