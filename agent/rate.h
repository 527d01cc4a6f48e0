/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket: so many a second, and at once as many as that makes in a few seconds. */
#ifndef EXC_RATE_H
#define EXC_RATE_H

#include <stdint.h>

struct rate {
        int64_t full_at_ns; /* when the bucket will be full again; 0: it is full */
};

/*
 * Takes one token at `now_ns` of a clock that does not go back. 0: taken. Otherwise nothing is taken, and the result says
 * in how many nanoseconds there will be one. `per_second` 0: no limit. `burst_s` is at least 1.
 */
int64_t rate_take(struct rate *rate, int64_t now_ns, uint32_t per_second, uint32_t burst_s);

#endif
