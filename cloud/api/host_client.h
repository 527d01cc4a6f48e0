/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-host as its caller sees it (interface/in.excloud.Host.varlink). A host may lie about its guests, and a guest about
 * itself: sizes and types are checked, and an answer to a push must be about the key that was pushed.
 */
#ifndef EXC_HOST_CLIENT_H
#define EXC_HOST_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cloud/api/varlink_pool.h"
#include "libpush/answer.h"
#include "libpush/token.h"

enum {
        HOST_HANDLE_MAX = 128 + 1, /* bytes, with the NUL */
        HOST_MESSAGE_MAX = 512,
        HOST_FIELD_MAX = 64,
};

enum host_result {
        HOST_OK,
        HOST_GUEST_REFUSED,     /* guest_error says why */
        HOST_GUEST_UNREACHABLE, /* nothing has reached the guest; so for all below but HOST_UNKNOWN */
        HOST_BUSY,              /* too many calls wait; try again in retry_after_ms */
        HOST_NO_INSTANCE,       /* the host does not know it */
        HOST_NO_HANDLE,         /* the handle is unknown or too old */
        HOST_UNREACHABLE,       /* no connection, or the host refuses or does not understand the call */
        HOST_UNKNOWN,           /* the guest may have taken the envelope: no answer, or a wrong one */
};

/* Why there is no answer. Texts of the host's or the guest's are UTF-8 without NUL, cut at their sizes. */
struct host_fault {
        char message[HOST_MESSAGE_MAX];
        char guest_error[HOST_FIELD_MAX]; /* letters and digits; HOST_GUEST_REFUSED alone */
        int64_t retry_after_ms;
        bool wrong; /* the answer is not as the interface has it, or not about what was asked */
};

struct host_hello {
        char handle[HOST_HANDLE_MAX];
        char guest_instance[ANSWER_INSTANCE_MAX]; /* "": it has none */
        char challenge[TOKEN_MAX];
        struct guest_clock clock;
};

enum host_result host_client_hello(struct varlink_pool *host, const char *instance, int timeout_ms,
                                   struct host_hello *ret, struct host_fault *ret_fault);

/*
 * Delivers the envelope of a push of one key, which stays the caller's, with the handle of Hello where it has that
 * challenge, else NULL. An answer about another key is HOST_UNKNOWN, and so is one with a life of more than `ttl_s`.
 */
enum host_result host_client_push(struct varlink_pool *host, const char *instance, json_t *envelope, const char *handle,
                                  const char *fingerprint, int64_t ttl_s, int timeout_ms, struct push_answer *ret,
                                  struct host_fault *ret_fault);
enum host_result host_client_revoke(struct varlink_pool *host, const char *instance, json_t *envelope,
                                    const char *handle, int timeout_ms, int64_t *ret_revoked,
                                    struct host_fault *ret_fault);

#endif
