/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits, so that a flood on one socket leaves the others alone: pushes and signed revocations, other calls, and
 * lines in the journal. Each socket has its own, and lookups of its own.
 */
#ifndef EXC_RATELIMIT_H
#define EXC_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/nss.h"
#include "wire/refusal.h"

enum {
        RATELIMIT_CALLS_PER_S = 200,
        RATELIMIT_CALLS_BURST_S = 2, /* seconds: as many at once as that many seconds give */

        RATELIMIT_VERIFICATIONS = 8, /* of signatures, that one push may take: each 8 more count as another push */
};

/* A token bucket, full at first: from all zeros. */
struct ratelimit_bucket {
        int64_t full_at_ns; /* when it will be full again */
};

/*
 * Takes one token at `now_ns`, of a clock that never goes back. The bucket gets `per_second` tokens a second (0: no
 * limit) and holds those of `burst_s` seconds, at least 1. 0: taken. Else none was taken, and one will be there in so
 * many nanoseconds.
 */
int64_t ratelimit_take(struct ratelimit_bucket *bucket, int64_t now_ns, uint32_t per_second, uint32_t burst_s);

/* Takes `n` tokens, also those that are not there yet: the next one is then there later. */
void ratelimit_owe(struct ratelimit_bucket *bucket, int64_t now_ns, uint32_t per_second, uint32_t n);

/* The limits of one socket. */
struct ratelimit {
        struct nss *nss;
        struct ratelimit_bucket pushes;
        struct ratelimit_bucket calls;
        struct ratelimit_bucket log;
        uint64_t n_not_logged; /* since the last entry that was */
};

/* `priority`: of the results of lookups, in the event loop. Negative errno. */
int ratelimit_start(struct ratelimit *limits, sd_event *event, int64_t priority);
void ratelimit_stop(struct ratelimit *limits);

/* Takes one push or signed revocation, of `per_second` (0: no limit). REFUSAL_NONE or RateLimited. */
enum refusal ratelimit_push(struct ratelimit *limits, uint32_t per_second, struct refused *ret_why);

/* After a push that ratelimit_push() let pass: takes what its verifications cost more than one push. */
void ratelimit_verified(struct ratelimit *limits, uint32_t per_second, unsigned n_verified);

/* Takes one other call. 0, or the nanoseconds until one can be taken. */
int64_t ratelimit_call(struct ratelimit *limits);

/*
 * Whether an event that a peer can cause at will may be logged: ten times, then once a second, so that a flood of
 * connections does not become one of journal entries. How many were not logged is written before the next one, or at
 * the end.
 */
bool ratelimit_note(struct ratelimit *limits);

#endif
