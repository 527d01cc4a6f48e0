/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a stored key lives. The agent, the helper and the tests call this one function, with the time as an
 * argument.
 *
 * CLOCK_BOOTTIME counts through suspend and cannot be set; a push is dated by CLOCK_REALTIME.
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
        int64_t wall_end_ns; /* INT64_MAX: none */
        bool synchronized;   /* the wall clock was synchronized at receipt */
};

/* Both clocks. */
struct instant instant_now(void);

/*
 * Nanoseconds until the key expires, 0 when it has. This function alone decides whether a key is live: - it expires at
 * boot_end_ns or at wall_end_ns, whichever comes first; - before it was received it counts as expired: the boot clock
 * is of another boot or a restored machine; - where the wall clock was synchronized at receipt, a drift of more than 2
 * s between the clocks since then ends it: the
 *    clock was set, or the machine was restored from a snapshot.
 */
int64_t lifetime_left_ns(const struct lifetime *life, const struct instant *now);

/* Of a key that has expired: whether the drift ended it, before boot_end_ns. */
bool lifetime_clock_set(const struct lifetime *life, const struct instant *now);

#endif
