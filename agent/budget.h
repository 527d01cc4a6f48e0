/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peers of one socket may use up: pushes a second, questions to the name service, and lines in the journal. Each
 * socket has its own, so that a flood on the host's side leaves the administrator's alone.
 */
#ifndef EXC_BUDGET_H
#define EXC_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/nss.h"
#include "agent/rate.h"
#include "wire/refusal.h"

struct budget {
        struct nss *nss;
        struct rate pushes;
        struct rate notes;
};

/* Negative errno. */
int budget_start(struct budget *budget, sd_event *event);
void budget_stop(struct budget *budget);

/* Takes one push, of `per_second` (0: no limit). REFUSAL_NONE or RateLimited. */
enum refusal budget_push(struct budget *budget, uint32_t per_second, struct refused *ret_why);

/*
 * Whether the journal is to be told of what a peer can do as often as it likes: ten times, then once a second. A flood
 * from a stranger must not become a flood in the journal.
 */
bool budget_note(struct budget *budget);

#endif
