/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peers of one socket may use up: pushes and revocations a second, other calls a second, questions to the name service,
 * and lines in the journal. Each socket has its own, so that a flood on the host's side leaves the administrator's alone.
 */
#ifndef EXC_BUDGET_H
#define EXC_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/nss.h"
#include "agent/rate.h"
#include "wire/refusal.h"

enum {
        CALLS_PER_S = 200,
        CALLS_BURST = 2, /* times the rate */
};

struct budget {
        struct nss *nss;
        struct rate pushes;
        struct rate calls;
        struct rate notes;
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
