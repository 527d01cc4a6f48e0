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
int64_t ratelimit_take(struct ratelimit_bucket *bucket, int64_t now_ns, uint32_t per_second, uint32_t burst_s) {
        int64_t token_ns, full_at_ns, early_ns;

        if (per_second == 0)
                return 0;
        token_ns = NS_PER_S / per_second;
        full_at_ns = (bucket->full_at_ns > now_ns ? bucket->full_at_ns : now_ns) + token_ns;
        early_ns = full_at_ns - now_ns - NS_PER_S * burst_s;
        if (early_ns > 0)
                return early_ns;
        bucket->full_at_ns = full_at_ns;
        return 0;
}

void ratelimit_owe(struct ratelimit_bucket *bucket, int64_t now_ns, uint32_t per_second, uint32_t n) {
        if (per_second > 0 && n > 0)
                bucket->full_at_ns =
                        (bucket->full_at_ns > now_ns ? bucket->full_at_ns : now_ns) + NS_PER_S / per_second * n;
}

int ratelimit_start(struct ratelimit *limits, sd_event *event, int64_t priority) {
        *limits = (struct ratelimit){.nss = NULL};
        return nss_new(event, priority, NSS_LIMIT_US, &limits->nss);
}

static void log_rest(struct ratelimit *limits) {
        if (limits->n_not_logged > 0)
                audit_note(LOG_NOTICE,
                           "%" PRIu64 " more refusals or closed connections on this socket were not logged: more than "
                           "one a second",
                           limits->n_not_logged);
        limits->n_not_logged = 0;
}

void ratelimit_stop(struct ratelimit *limits) {
        log_rest(limits);
        nss_free(limits->nss);
        limits->nss = NULL;
}

enum refusal ratelimit_push(struct ratelimit *limits, uint32_t per_second, struct refused *ret_why) {
        int64_t wait_ns = ratelimit_take(&limits->pushes, instant_now().boot_ns, per_second, CONFIG_RATE_BURST_S);

        if (wait_ns == 0)
                return REFUSAL_NONE;
        (void)refuse(ret_why, REFUSAL_RATE_LIMITED,
                     "more than %" PRIu32 " pushes a second on this socket; push again later", per_second);
        ret_why->retry_after_ms = wait_ns / 1000000 + 1;
        return REFUSAL_RATE_LIMITED;
}

void ratelimit_verified(struct ratelimit *limits, uint32_t per_second, unsigned n_verified) {
        uint32_t n = n_verified > 0 ? (n_verified - 1) / RATELIMIT_VERIFICATIONS : 0;

        ratelimit_owe(&limits->pushes, instant_now().boot_ns, per_second, n);
}

int64_t ratelimit_call(struct ratelimit *limits) {
        return ratelimit_take(&limits->calls, instant_now().boot_ns, RATELIMIT_CALLS_PER_S, RATELIMIT_CALLS_BURST_S);
}

bool ratelimit_note(struct ratelimit *limits) {
        if (ratelimit_take(&limits->log, instant_now().boot_ns, 1, 10) > 0) {
                limits->n_not_logged++;
                return false;
        }
        log_rest(limits);
        return true;
}
