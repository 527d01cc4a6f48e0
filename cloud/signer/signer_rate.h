/* SPDX-License-Identifier: Apache-2.0 */
/* How much the signer signs: budgets with a burst, and the alarm. The clock is an argument: CLOCK_BOOTTIME in nanoseconds. */
#ifndef EXC_SIGNER_RATE_H
#define EXC_SIGNER_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Full at first, from all zeros. */
struct signer_budget {
        int64_t full_at_ns; /* when it will be full again */
};

/*
 * Takes one of `burst`, of which `per_second` come back (0: no limit). 0: taken. Else none was, and one will be there in so
 * many nanoseconds.
 */
int64_t signer_budget_take(struct signer_budget *budget, int64_t now_ns, uint32_t per_second, uint32_t burst);

enum { SIGNER_ALARM_S = 60 }; /* seconds that are counted, and that one alarm lasts */

/* From all zeros. */
struct signer_alarm {
        uint32_t count[SIGNER_ALARM_S]; /* pushes of a second */
        int64_t second;                 /* the latest that was counted */
        int64_t next_s;                 /* no alarm before */
};

/* Counts one push. Whether to raise an alarm: more than `most` within SIGNER_ALARM_S, and none was raised as recently. */
bool signer_alarm_count(struct signer_alarm *alarm, int64_t now_ns, uint32_t most);

/* The same for another cause: the budget is used up. */
bool signer_alarm_raise(struct signer_alarm *alarm, int64_t now_ns);

#endif
