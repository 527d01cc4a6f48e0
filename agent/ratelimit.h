/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket: so many a second, and at once as many as that makes in a few seconds. */
/*
 * What the peers of one socket may use up: pushes and revocations a second, other calls a second, questions to the name service,
 * and lines in the journal. Each socket has its own, so that a flood on the host's side leaves the administrator's alone.
 */
#ifndef EXC_RATELIMIT_H
#define EXC_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/nss.h"
#include "wire/refusal.h"

struct ratelimit {
        int64_t full_at_ns; /* when the bucket will be full again; 0: it is full */
};

/*
 * Takes one token at `now_ns` of a clock that does not go back. 0: taken. Otherwise nothing is taken, and the result says
 * in how many nanoseconds there will be one. `per_second` 0: no limit. `burst_s` is at least 1.
 */
int64_t ratelimit_take(struct ratelimit *rate, int64_t now_ns, uint32_t per_second, uint32_t burst_s);

enum {
        CALLS_PER_S = 200,
        CALLS_BURST = 2, /* times the rate */
};

struct budget {
        struct nss *nss;
        struct ratelimit pushes;
        struct ratelimit calls;
        struct ratelimit notes;
        uint64_t unnoted; /* since the last note */
};

/* `priority`: that of what the name service answers, in the event loop. Negative errno. */
int budget_start(struct budget *budget, sd_event *event, int64_t priority);
void budget_stop(struct budget *budget);

/* Takes one push or revocation, of `per_second` (0: no limit). REFUSAL_NONE or RateLimited. */
enum refusal budget_push(struct budget *budget, uint32_t per_second, struct refused *ret_why);

/* Takes one call of any other kind. 0, or in how many nanoseconds there will be room for it. */
int64_t budget_call(struct budget *budget);

/*
 * Whether the journal is to be told of what a peer can do as often as it likes: ten times, then once a second. A flood
 * from a stranger must not become a flood in the journal. How many are left out is noted before the next, or at the end.
 */
bool budget_note(struct budget *budget);

#endif
