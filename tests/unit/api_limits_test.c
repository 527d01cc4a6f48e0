/* SPDX-License-Identifier: Apache-2.0 */
/* The time is an argument: nothing here waits. */
#include "cloud/api/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/lifetime.h"

#define START_NS (1000 * NS_PER_S)

static const struct limit_rate rates[LIMIT_MAX_] = {
        [LIMIT_ADDRESS] = {.per_minute = 60, .burst = 5},
        [LIMIT_CALLER] = {.per_minute = 120, .burst = 1},
};

static unsigned taken(struct limits *limits, enum limit limit, const char *name, int64_t now_ns) {
        unsigned n = 0;

        while (n < 1000 && limits_take(limits, limit, name, now_ns) == 0)
                n++;
        return n;
}

static void names_have_buckets_of_their_own(void **state) {
        struct limits *limits = limits_new(rates);

        (void)state;
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "a", START_NS), 5);
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "b", START_NS), 5);
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "", START_NS), 5);
        assert_int_equal(taken(limits, LIMIT_CALLER, "a", START_NS), 1);
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "a", START_NS), 0);
        limits_free(limits);
}

static void one_is_there_after_the_returned_wait(void **state) {
        struct limits *limits = limits_new(rates);
        int64_t wait_ns;

        (void)state;
        (void)taken(limits, LIMIT_ADDRESS, "a", START_NS);
        wait_ns = limits_take(limits, LIMIT_ADDRESS, "a", START_NS);
        assert_int_equal(wait_ns, NS_PER_S);
        assert_int_equal(limits_take(limits, LIMIT_ADDRESS, "a", START_NS + wait_ns - 1), 1);
        assert_int_equal(limits_take(limits, LIMIT_ADDRESS, "a", START_NS + wait_ns), 0);
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "a", START_NS + wait_ns + 3600 * NS_PER_S), 5);
        limits_free(limits);
}

static void asking_and_refusal_take_nothing(void **state) {
        struct limits *limits = limits_new(rates);

        (void)state;
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(limits_ask(limits, LIMIT_ADDRESS, "a", START_NS), 0);
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "a", START_NS), 5);
        assert_true(limits_ask(limits, LIMIT_ADDRESS, "a", START_NS) > 0);
        for (unsigned i = 0; i < 100; i++)
                assert_true(limits_take(limits, LIMIT_ADDRESS, "a", START_NS) > 0);
        assert_int_equal(limits_take(limits, LIMIT_ADDRESS, "a", START_NS + NS_PER_S), 0);
        limits_free(limits);
}

static void rate_zero_is_unlimited(void **state) {
        struct limits *limits = limits_new(rates);

        (void)state;
        assert_int_equal(taken(limits, LIMIT_INSTANCE, "a", START_NS), 1000);
        limits_free(limits);
}

/* 100,000 names go through memory for 8192: nobody who used little is refused, and a newcomer starts with a full bucket. */
static void memory_is_bounded_and_forgets_the_least_used(void **state) {
        struct limits *limits = limits_new(rates);
        unsigned forgotten = 0;
        char name[32];

        (void)state;
        assert_int_equal(taken(limits, LIMIT_ADDRESS, "busy", START_NS), 5);
        for (unsigned i = 0; i < 100000; i++) {
                (void)snprintf(name, sizeof(name), "name %u", i);
                assert_int_equal(limits_take(limits, LIMIT_ADDRESS, name, START_NS + i), 0);
        }
        /* It has most to recover from, so all others of its set were preferred. */
        if (limits_take(limits, LIMIT_ADDRESS, "busy", START_NS + 100000) == 0)
                forgotten++;
        assert_int_equal(forgotten, 0);
        limits_free(limits);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_have_buckets_of_their_own),
                cmocka_unit_test(one_is_there_after_the_returned_wait),
                cmocka_unit_test(asking_and_refusal_take_nothing),
                cmocka_unit_test(rate_zero_is_unlimited),
                cmocka_unit_test(memory_is_bounded_and_forgets_the_least_used),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
