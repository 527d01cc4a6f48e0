/* SPDX-License-Identifier: Apache-2.0 */
/* Where the API is: https://HOST[:PORT][/PREFIX], unix:/PATH, or http:// on this machine. */
#ifndef EXC_EXC_ENDPOINT_H
#define EXC_EXC_ENDPOINT_H

#include <stddef.h>

enum endpoint_kind {
        ENDPOINT_INVALID,
        ENDPOINT_HTTPS,
        ENDPOINT_LOOPBACK, /* http:// to 127.0.0.0/8, [::1] or localhost */
        ENDPOINT_UNIX,     /* unix:/path */
        ENDPOINT_HTTP,     /* http:// to elsewhere: a token would be sent in the clear */
};

/* Read as libcurl reads it, which connects. */
enum endpoint_kind endpoint_kind(const char *text);

/* The same, and the URL that requests begin with, without a slash at its end. -E2BIG where it does not fit. */
int endpoint_url(const char *text, char *ret, size_t size);

#endif
