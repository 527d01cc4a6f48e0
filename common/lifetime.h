/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a stored key lives. Everybody who asks, asks here, and brings the time along.
 *
 * CLOCK_BOOTTIME counts through suspend and nobody can set it; CLOCK_REALTIME is what a push was dated by.
 */
#ifndef EXC_LIFETIME_H
#define EXC_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)

struct instant {
        int64_t boot_ns; /* CLOCK_BOOTTIME */
        int64_t wall_ns; /* CLOCK_REALTIME, since 1970 */
};

struct lifetime {
        struct instant received;
        int64_t boot_end_ns;
        int64_t wall_end_ns; /* INT64_MAX: no end by the wall clock */
        bool synchronized;   /* the wall clock could be trusted when the key came */
};

/* Both clocks, read one right after the other. */
struct instant instant_now(void);

/*
 * Nanoseconds until the key is dead, 0 when it is. This function alone decides whether a key is alive:
 *  - it ends at boot_end_ns, and at wall_end_ns, whichever comes first;
 *  - it is dead before it was received: the boot clock of another boot or a restored machine;
 *  - where the wall clock was synchronized at receipt, a drift of more than 2 s between the clocks since then ends it:
 *    somebody set the clock, or the machine was restored from a snapshot.
 */
int64_t lifetime_left_ns(const struct lifetime *life, const struct instant *now);

#endif
