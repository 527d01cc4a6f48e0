/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_rate.h"

#include <string.h>

#define NS_PER_S INT64_C(1000000000)

/*
 * The level is stored as the time when the budget will be full. What is taken puts that off by 1/rate seconds, as long as the
 * result is at most the whole burst ahead.
 */
int64_t signer_budget_take(struct signer_budget *budget, int64_t now_ns, uint32_t per_second, uint32_t burst) {
        int64_t one_ns, full_at_ns, early_ns;

        if (per_second == 0)
                return 0;
        one_ns = NS_PER_S / per_second;
        full_at_ns = (budget->full_at_ns > now_ns ? budget->full_at_ns : now_ns) + one_ns;
        early_ns = full_at_ns - now_ns - one_ns * burst;
        if (early_ns > 0)
                return early_ns;
        budget->full_at_ns = full_at_ns;
        return 0;
}

/* Forgets the seconds that have passed. */
static void advance(struct signer_alarm *alarm, int64_t second) {
        if (second - alarm->second >= SIGNER_ALARM_S)
                memset(alarm->count, 0, sizeof(alarm->count));
        else
                for (int64_t s = alarm->second + 1; s <= second; s++)
                        alarm->count[s % SIGNER_ALARM_S] = 0;
        alarm->second = second;
}

bool signer_alarm_raise(struct signer_alarm *alarm, int64_t now_ns) {
        int64_t second = now_ns / NS_PER_S;

        if (second < alarm->next_s)
                return false;
        alarm->next_s = second + SIGNER_ALARM_S;
        return true;
}

bool signer_alarm_count(struct signer_alarm *alarm, int64_t now_ns, uint32_t most) {
        uint64_t sum = 0;

        advance(alarm, now_ns / NS_PER_S);
        alarm->count[alarm->second % SIGNER_ALARM_S]++;
        for (int i = 0; i < SIGNER_ALARM_S; i++)
                sum += alarm->count[i];
        return most > 0 && sum > most && signer_alarm_raise(alarm, now_ns);
}
