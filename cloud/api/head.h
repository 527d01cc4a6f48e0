/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of a request: what is kept of them, and which requests are refused before a byte of the body is read
 * (compute-api.md, General). libmicrohttpd accepts more than a proxy in front may, so what two parsers could read in two
 * ways is refused here: names that are no tokens, a repeated field that must be one, Content-Length with
 * Transfer-Encoding.
 */
#ifndef EXC_API_HEAD_H
#define EXC_API_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/api/error.h"
#include "cloud/api/request.h"

struct head {
        const char *malformed; /* NULL, or why the message is not to be trusted: the connection closes */
        const char *content_length, *transfer_encoding, *content_encoding;
        const char *authorization, *origin, *upgrade, *user_agent, *host;
        const char *if_match, *if_none_match;
        const char *forwarded; /* the last X-Forwarded-For */
};

/* Adds a field; the texts must outlive the head. Starts from all zeros. */
void head_add(struct head *head, const char *name, size_t name_length, const char *value, size_t value_length);

/* Why a request is refused at its head. */
struct head_fault {
        enum api_error error; /* API_ERROR_NONE: it is not */
        const char *field;    /* of InvalidRequest, or NULL */
        const char *message;
        bool close; /* the bytes that follow may be anything */
};

struct head_body {
        bool chunked;    /* the length is not known */
        uint64_t length; /* else this, at most REQUEST_BODY_MAX */
};

/*
 * Checks the framing and the fields that are the same for all routes. `public_url`: the origin that requests of browsers
 * must have, "" for none.
 */
struct head_fault head_check(const struct head *head, const char *public_url, struct head_body *ret_body);

/* If-Match and If-None-Match. */
struct head_fault head_match(const struct head *head, enum request_match *ret, int64_t *ret_version);

#endif
