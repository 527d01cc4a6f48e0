/* SPDX-License-Identifier: Apache-2.0 */
/* What a clock says, as one number; clock_gettime(2) does not fail for the clocks that are asked here. */
#ifndef EXC_CLOCK_H
#define EXC_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t clock) {
        struct timespec t = {0, 0};

        (void)clock_gettime(clock, &t);
        return (int64_t)t.tv_sec * 1000 * 1000 * 1000 + t.tv_nsec;
}

static inline int64_t clock_us(clockid_t clock) {
        return clock_ns(clock) / 1000;
}

static inline int64_t clock_ms(clockid_t clock) {
        return clock_ns(clock) / (1000 * 1000);
}

#endif
