/* SPDX-License-Identifier: Apache-2.0 */
/* The time is an argument: nothing here waits. */
#include "agent/ratelimit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/lifetime.h"

#define START_NS (1000 * NS_PER_S)

enum { PER_SECOND = 50, BURST_S = 4 };

static unsigned taken(struct ratelimit_bucket *rate, int64_t now_ns) {
        unsigned n = 0;

        while (n < 100000 && ratelimit_take(rate, now_ns, PER_SECOND, BURST_S) == 0)
                n++;
        return n;
}

static void burst_is_tokens_of_its_seconds(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        assert_int_equal(taken(&rate, START_NS), PER_SECOND * BURST_S);
        rate = (struct ratelimit_bucket){0};
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(ratelimit_take(&rate, START_NS, 1, 10), 0);
        assert_true(ratelimit_take(&rate, START_NS, 1, 10) > 0);
}

static void after_burst_rate_applies(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        (void)taken(&rate, START_NS);
        assert_int_equal(taken(&rate, START_NS + NS_PER_S / PER_SECOND - 1), 0);
        assert_int_equal(taken(&rate, START_NS + NS_PER_S / PER_SECOND), 1);
        assert_int_equal(taken(&rate, START_NS + NS_PER_S), PER_SECOND - 1);
}

static void token_is_there_after_returned_wait(void **state) {
        struct ratelimit_bucket rate = {0};
        int64_t wait_ns;

        (void)state;
        (void)taken(&rate, START_NS);
        wait_ns = ratelimit_take(&rate, START_NS, PER_SECOND, BURST_S);
        assert_int_equal(wait_ns, NS_PER_S / PER_SECOND);
        assert_int_equal(ratelimit_take(&rate, START_NS + wait_ns - 1, PER_SECOND, BURST_S), 1);
        assert_int_equal(ratelimit_take(&rate, START_NS + wait_ns, PER_SECOND, BURST_S), 0);
}

static void refusal_takes_no_token(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        (void)taken(&rate, START_NS);
        for (unsigned i = 0; i < 1000; i++)
                assert_true(ratelimit_take(&rate, START_NS, PER_SECOND, BURST_S) > 0);
        assert_int_equal(ratelimit_take(&rate, START_NS + NS_PER_S / PER_SECOND, PER_SECOND, BURST_S), 0);
}

static void idle_time_saves_one_burst(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        (void)taken(&rate, START_NS);
        assert_int_equal(taken(&rate, START_NS + 86400 * NS_PER_S), PER_SECOND * BURST_S);
}

static void rate_zero_is_unlimited(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(ratelimit_take(&rate, START_NS, 0, BURST_S), 0);
        /* And leaves the bucket as it was, for a limit that is set again. */
        assert_int_equal(taken(&rate, START_NS), PER_SECOND * BURST_S);
}

static void highest_rate_is_exact(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        for (unsigned i = 0; i < 10000 * BURST_S; i++)
                assert_int_equal(ratelimit_take(&rate, START_NS, 10000, BURST_S), 0);
        assert_int_equal(ratelimit_take(&rate, START_NS, 10000, BURST_S), 100000);
}

static void owed_tokens_are_waited_for(void **state) {
        struct ratelimit_bucket rate = {0};

        (void)state;
        ratelimit_owe(&rate, START_NS, PER_SECOND, 7);
        assert_int_equal(taken(&rate, START_NS), PER_SECOND * BURST_S - 7);
        ratelimit_owe(&rate, START_NS, PER_SECOND, 7);
        assert_int_equal(ratelimit_take(&rate, START_NS, PER_SECOND, BURST_S), 8 * NS_PER_S / PER_SECOND);
        assert_int_equal(taken(&rate, START_NS + 8 * NS_PER_S / PER_SECOND), 1);
        ratelimit_owe(&rate, START_NS, 0, 1000);
        assert_int_equal(taken(&rate, START_NS + 86400 * NS_PER_S), PER_SECOND * BURST_S);
}

static unsigned pushes_after(unsigned n_verified) {
        struct ratelimit limits = {.nss = NULL};
        struct refused why;
        unsigned n = 0;

        ratelimit_verified(&limits, 1, n_verified);
        while (n < 100 && ratelimit_push(&limits, 1, &why) == REFUSAL_NONE)
                n++;
        return n;
}

/* At one a second, with four at once. */
static void verifications_count_as_pushes(void **state) {
        (void)state;
        assert_int_equal(pushes_after(0), 4);
        assert_int_equal(pushes_after(RATELIMIT_VERIFICATIONS), 4);
        assert_int_equal(pushes_after(RATELIMIT_VERIFICATIONS + 1), 3);
        assert_int_equal(pushes_after(64), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(burst_is_tokens_of_its_seconds),
                cmocka_unit_test(after_burst_rate_applies),
                cmocka_unit_test(token_is_there_after_returned_wait),
                cmocka_unit_test(refusal_takes_no_token),
                cmocka_unit_test(idle_time_saves_one_burst),
                cmocka_unit_test(rate_zero_is_unlimited),
                cmocka_unit_test(highest_rate_is_exact),
                cmocka_unit_test(owed_tokens_are_waited_for),
                cmocka_unit_test(verifications_count_as_pushes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
