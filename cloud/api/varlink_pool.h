/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to one varlink service on a unix socket, shared by all threads. A call takes an idle connection or makes one, and
 * what can be used again is kept for the next call.
 */
#ifndef EXC_VARLINK_POOL_H
#define EXC_VARLINK_POOL_H

#include <jansson.h>
#include <stdbool.h>

#include "wire/client.h"

enum { VARLINK_POOL_IDLE_MAX = 32 }; /* connections that are kept: each is a thread of the service's */

struct varlink_pool;

/* NULL without memory. */
struct varlink_pool *varlink_pool_new(const char *path);

/* No call may be under way. */
void varlink_pool_free(struct varlink_pool *pool);

/* Why a call has no answer. */
struct varlink_fault {
        bool sent;     /* the service may have carried the call out */
        int error;     /* negative errno */
        char why[160]; /* of struct client: the cause, with nothing from the peer */
};

/*
 * One call of `method`, with its interface, within `timeout_ms`. Takes ownership of `parameters`; NULL is CLIENT_FAILED.
 * Results and `ret` as of client_call(); `ret_fault` is written for what is neither CLIENT_DONE nor CLIENT_REFUSED.
 *
 * A call whose connection ends without an answer is sent again on a new one: where the connection had been idle, since
 * the service may have closed it meanwhile, and until the deadline where `idempotent` says that a call which arrives
 * twice is carried out once.
 */
enum client_result varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters, int timeout_ms,
                                     bool idempotent, struct client_reply *ret, struct varlink_fault *ret_fault);

#endif
