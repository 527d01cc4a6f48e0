/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static void budget_gives_its_burst_and_then_its_rate(void **state) {
        struct signer_budget budget = {.full_at_ns = 0};
        int64_t now = 1000 * S, wait;

        (void)state;
        for (int i = 0; i < 5; i++)
                assert_int_equal(signer_budget_take(&budget, now, 2, 5), 0);
        wait = signer_budget_take(&budget, now, 2, 5);
        assert_int_equal(wait, S / 2);
        /* What was not taken costs nothing. */
        assert_int_equal(signer_budget_take(&budget, now, 2, 5), S / 2);
        assert_true(signer_budget_take(&budget, now + wait - 1, 2, 5) > 0);
        assert_int_equal(signer_budget_take(&budget, now + wait, 2, 5), 0);
        assert_true(signer_budget_take(&budget, now + wait, 2, 5) > 0);
}

static void budget_fills_up_to_its_burst_alone(void **state) {
        struct signer_budget budget = {.full_at_ns = 0};
        int64_t now = 1000 * S;

        (void)state;
        assert_int_equal(signer_budget_take(&budget, now, 10, 3), 0);
        now += 3600 * S;
        for (int i = 0; i < 3; i++)
                assert_int_equal(signer_budget_take(&budget, now, 10, 3), 0);
        assert_true(signer_budget_take(&budget, now, 10, 3) > 0);
}

static void rate_of_zero_is_no_limit(void **state) {
        struct signer_budget budget = {.full_at_ns = 0};

        (void)state;
        for (int i = 0; i < 10000; i++)
                assert_int_equal(signer_budget_take(&budget, S, 0, 1), 0);
}

static void alarm_is_raised_once_a_minute(void **state) {
        struct signer_alarm alarm = {.second = 0};
        int64_t now = 5000 * S;

        (void)state;
        for (int i = 0; i < 10; i++)
                assert_false(signer_alarm_count(&alarm, now + i * S, 10));
        assert_true(signer_alarm_count(&alarm, now + 10 * S, 10));
        assert_false(signer_alarm_count(&alarm, now + 11 * S, 10));
        assert_false(signer_alarm_raise(&alarm, now + 69 * S));
        assert_true(signer_alarm_raise(&alarm, now + 70 * S));
}

static void alarm_counts_the_last_minute(void **state) {
        struct signer_alarm alarm = {.second = 0};
        int64_t now = 5000 * S;

        (void)state;
        /* 10 within any minute, for an hour. */
        for (int i = 0; i < 600; i++)
                assert_false(signer_alarm_count(&alarm, now + i * 6 * S, 10));
        now += 3600 * S + 3600 * S;
        for (int i = 0; i < 10; i++)
                assert_false(signer_alarm_count(&alarm, now, 10));
        /* These are forgotten a minute later, and no earlier. */
        assert_false(signer_alarm_count(&alarm, now + 60 * S, 10));
        for (int i = 0; i < 9; i++)
                assert_false(signer_alarm_count(&alarm, now + 60 * S, 10));
        assert_true(signer_alarm_count(&alarm, now + 119 * S, 10));
}

static void alarm_can_be_off(void **state) {
        struct signer_alarm alarm = {.second = 0};

        (void)state;
        for (int i = 0; i < 1000; i++)
                assert_false(signer_alarm_count(&alarm, S, 0));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(budget_gives_its_burst_and_then_its_rate),
                cmocka_unit_test(budget_fills_up_to_its_burst_alone),
                cmocka_unit_test(rate_of_zero_is_no_limit),
                cmocka_unit_test(alarm_is_raised_once_a_minute),
                cmocka_unit_test(alarm_counts_the_last_minute),
                cmocka_unit_test(alarm_can_be_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
