/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lifetime.h"

#include "common/clock.h"

#define DRIFT_MAX_NS (2 * NS_PER_S)

struct instant instant_now(void) {
        return (struct instant){.boot_ns = clock_ns(CLOCK_BOOTTIME), .wall_ns = clock_ns(CLOCK_REALTIME)};
}

/* False where the numbers overflow: they come from a file, and the agent writes none that do. */
static bool drift_of(const struct lifetime *life, const struct instant *now, int64_t *ret) {
        int64_t since_boot, since_wall;

        return now->boot_ns >= life->received.boot_ns &&
               !__builtin_sub_overflow(now->boot_ns, life->received.boot_ns, &since_boot) &&
               !__builtin_sub_overflow(now->wall_ns, life->received.wall_ns, &since_wall) &&
               !__builtin_sub_overflow(since_wall, since_boot, ret);
}

static bool drifted(const struct lifetime *life, int64_t drift) {
        return life->synchronized && (drift > DRIFT_MAX_NS || drift < -DRIFT_MAX_NS);
}

int64_t lifetime_left_ns(const struct lifetime *life, const struct instant *now) {
        int64_t drift, left, wall_left;

        if (!drift_of(life, now, &drift) || drifted(life, drift) ||
            __builtin_sub_overflow(life->boot_end_ns, now->boot_ns, &left))
                return 0;
        if (life->wall_end_ns != INT64_MAX) {
                if (__builtin_sub_overflow(life->wall_end_ns, now->wall_ns, &wall_left))
                        return 0;
                if (wall_left < left)
                        left = wall_left;
        }
        return left > 0 ? left : 0;
}

bool lifetime_clock_set(const struct lifetime *life, const struct instant *now) {
        int64_t drift;

        return now->boot_ns < life->boot_end_ns && drift_of(life, now, &drift) && drifted(life, drift);
}
