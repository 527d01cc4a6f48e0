/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of Deliver that are under way or were answered lately, by their call ids. A call id that comes again with
 * the same envelope for the same instance is the same call: it joins the first one, or gets its answer, and is never
 * carried out twice.
 *
 * An answer is remembered for DELIVERIES_KEEP_MS. The memory is bounded and forgets nothing before its time: when it is
 * full, new calls are refused.
 */
#ifndef EXC_DELIVERIES_H
#define EXC_DELIVERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libpush/token.h"
#include "wire/vm_id.h"

enum {
        DELIVERIES_KEEP_MS = 300 * 1000, /* counted from the answer */
        DELIVERIES_MAX = 65536,
        DELIVERIES_BYTES_MAX = 64 * 1024 * 1024, /* of answers */
        DELIVERIES_DIGEST_SIZE = 32,
};

struct deliveries;

/* What makes two calls the same. */
struct delivery_call {
        char call_id[TOKEN_MAX];
        char instance[VM_ID_MAX];
        uint8_t digest[DELIVERIES_DIGEST_SIZE]; /* of the envelope */
};

struct delivery_answer {
        const char *error; /* a constant; NULL: none */
        const char *text;  /* parameters in JSON, ends with a NUL */
};

struct delivery;

enum delivery_begin {
        DELIVERY_NEW,   /* the caller carries it out, and ends it with delivery_finish() */
        DELIVERY_KNOWN, /* see delivery_wait() */
        DELIVERY_OTHER, /* the call id was used for another envelope or instance */
        DELIVERY_FULL,  /* try again when old ones have expired */
        DELIVERY_NO_MEMORY,
};

struct deliveries *deliveries_new(size_t most, size_t most_bytes); /* NULL without memory */
void deliveries_free(struct deliveries *deliveries);               /* nobody waits or carries out */

/* `ret` is set for DELIVERY_NEW and DELIVERY_KNOWN, and must be dropped with delivery_unref(). */
enum delivery_begin delivery_begin(struct deliveries *deliveries, const struct delivery_call *call, int64_t now_ms,
                                   struct delivery **ret);

/*
 * Answers those who wait, and remembers the answer. Takes ownership of `text`, which is freed with the entry; NULL is allowed,
 * for a caller without memory. `forget`: nothing was carried out, so that the call may be made again.
 */
void delivery_finish(struct delivery *delivery, const char *error, char *text, bool forget, int64_t now_ms);

/* Waits for the answer, which is valid until delivery_unref(). 0, or -ETIMEDOUT at `deadline_ms`. */
int delivery_wait(struct delivery *delivery, int64_t deadline_ms, struct delivery_answer *ret);

void delivery_unref(struct delivery *delivery);

#endif
