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

static unsigned taken(struct ratelimit *rate, int64_t now_ns) {
        unsigned n = 0;

        while (n < 100000 && ratelimit_take(rate, now_ns, PER_SECOND, BURST_S) == 0)
                n++;
        return n;
}

static void a_burst_is_so_many_seconds_worth(void **state) {
        struct ratelimit rate = {0};

        (void)state;
        assert_int_equal(taken(&rate, START_NS), PER_SECOND * BURST_S);
        rate = (struct ratelimit){0};
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(ratelimit_take(&rate, START_NS, 1, 10), 0);
        assert_true(ratelimit_take(&rate, START_NS, 1, 10) > 0);
}

static void after_the_burst_they_come_at_the_rate(void **state) {
        struct ratelimit rate = {0};

        (void)state;
        (void)taken(&rate, START_NS);
        assert_int_equal(taken(&rate, START_NS + NS_PER_S / PER_SECOND - 1), 0);
        assert_int_equal(taken(&rate, START_NS + NS_PER_S / PER_SECOND), 1);
        assert_int_equal(taken(&rate, START_NS + NS_PER_S), PER_SECOND - 1);
}

static void who_waits_as_long_as_was_said_gets_one(void **state) {
        struct ratelimit rate = {0};
        int64_t wait_ns;

        (void)state;
        (void)taken(&rate, START_NS);
        wait_ns = ratelimit_take(&rate, START_NS, PER_SECOND, BURST_S);
        assert_int_equal(wait_ns, NS_PER_S / PER_SECOND);
        assert_int_equal(ratelimit_take(&rate, START_NS + wait_ns - 1, PER_SECOND, BURST_S), 1);
        assert_int_equal(ratelimit_take(&rate, START_NS + wait_ns, PER_SECOND, BURST_S), 0);
}

static void being_refused_costs_nothing(void **state) {
        struct ratelimit rate = {0};

        (void)state;
        (void)taken(&rate, START_NS);
        for (unsigned i = 0; i < 1000; i++)
                assert_true(ratelimit_take(&rate, START_NS, PER_SECOND, BURST_S) > 0);
        assert_int_equal(ratelimit_take(&rate, START_NS + NS_PER_S / PER_SECOND, PER_SECOND, BURST_S), 0);
}

static void a_long_silence_saves_up_no_more_than_one_burst(void **state) {
        struct ratelimit rate = {0};

        (void)state;
        (void)taken(&rate, START_NS);
        assert_int_equal(taken(&rate, START_NS + 86400 * NS_PER_S), PER_SECOND * BURST_S);
}

static void a_rate_of_nothing_is_no_limit(void **state) {
        struct ratelimit rate = {0};

        (void)state;
        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(ratelimit_take(&rate, START_NS, 0, BURST_S), 0);
        /* And leaves the bucket as it was, for a limit that is set again. */
        assert_int_equal(taken(&rate, START_NS), PER_SECOND * BURST_S);
}

static void the_highest_rate_is_kept_to_the_token(void **state) {
        struct ratelimit rate = {0};

        (void)state;
        for (unsigned i = 0; i < 10000 * BURST_S; i++)
                assert_int_equal(ratelimit_take(&rate, START_NS, 10000, BURST_S), 0);
        assert_int_equal(ratelimit_take(&rate, START_NS, 10000, BURST_S), 100000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_is_so_many_seconds_worth),
                cmocka_unit_test(after_the_burst_they_come_at_the_rate),
                cmocka_unit_test(who_waits_as_long_as_was_said_gets_one),
                cmocka_unit_test(being_refused_costs_nothing),
                cmocka_unit_test(a_long_silence_saves_up_no_more_than_one_burst),
                cmocka_unit_test(a_rate_of_nothing_is_no_limit),
                cmocka_unit_test(the_highest_rate_is_kept_to_the_token),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
