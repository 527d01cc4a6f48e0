/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ratelimit.h"

#include <inttypes.h>
#include <syslog.h>

#include "agent/audit.h"
#include "agent/config.h"
#include "common/lifetime.h"

/*
 * The level is stored as the time when the bucket will be full. A token puts that off by 1/rate seconds, and there is
 * one as long as the result is at most the whole burst ahead.
 */
int64_t ratelimit_take(struct ratelimit *rate, int64_t now_ns, uint32_t per_second, uint32_t burst_s) {
        int64_t token_ns, full_at_ns, early_ns;

        if (per_second == 0)
                return 0;
        token_ns = NS_PER_S / per_second;
        full_at_ns = (rate->full_at_ns > now_ns ? rate->full_at_ns : now_ns) + token_ns;
        early_ns = full_at_ns - now_ns - NS_PER_S * burst_s;
        if (early_ns > 0)
                return early_ns;
        rate->full_at_ns = full_at_ns;
        return 0;
}

int budget_start(struct budget *budget, sd_event *event, int64_t priority) {
        *budget = (struct budget){.nss = NULL};
        return nss_new(event, priority, NSS_LIMIT_US, &budget->nss);
}

static void note_unnoted(struct budget *budget) {
        if (budget->unnoted > 0)
                audit_note(LOG_NOTICE,
                           "%" PRIu64 " more refusals or closed connections on this socket were not logged: more than "
                           "one a second",
                           budget->unnoted);
        budget->unnoted = 0;
}

void budget_stop(struct budget *budget) {
        note_unnoted(budget);
        nss_free(budget->nss);
        budget->nss = NULL;
}

enum refusal budget_push(struct budget *budget, uint32_t per_second, struct refused *ret_why) {
        int64_t wait_ns = ratelimit_take(&budget->pushes, instant_now().boot_ns, per_second, CONFIG_RATE_BURST);

        if (wait_ns == 0)
                return REFUSAL_NONE;
        (void)refuse(ret_why, REFUSAL_RATE_LIMITED,
                     "more than %" PRIu32 " pushes a second on this socket; push again later", per_second);
        ret_why->retry_after_ms = wait_ns / 1000000 + 1;
        return REFUSAL_RATE_LIMITED;
}

int64_t budget_call(struct budget *budget) {
        return ratelimit_take(&budget->calls, instant_now().boot_ns, CALLS_PER_S, CALLS_BURST);
}

bool budget_note(struct budget *budget) {
        if (ratelimit_take(&budget->notes, instant_now().boot_ns, 1, 10) > 0) {
                budget->unnoted++;
                return false;
        }
        note_unnoted(budget);
        return true;
}
