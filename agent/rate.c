/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/rate.h"

#include "common/lifetime.h"

/*
 * The bucket's content is kept as the time at which it will be full: each token taken puts that off by 1/rate seconds, and
 * it may not lie further off than the whole burst.
 */
int64_t rate_take(struct rate *rate, int64_t now_ns, uint32_t per_second, uint32_t burst_s) {
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
