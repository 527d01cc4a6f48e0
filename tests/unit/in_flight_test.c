/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/in_flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct in_flight *calls;

static int begin(void **state) {
        (void)state;
        calls = in_flight_new((struct in_flight_bounds){.instance = 2, .host = 3, .all = 5});
        return calls ? 0 : -1;
}

static int end(void **state) {
        (void)state;
        in_flight_free(calls);
        return 0;
}

static size_t enter(const char *instance, const char *host) {
        size_t slot = SIZE_MAX;

        assert_int_equal(in_flight_enter(calls, instance, host, &slot), IN_FLIGHT_OK);
        assert_true(slot < IN_FLIGHT_MAX);
        return slot;
}

static enum in_flight_result refused(const char *instance, const char *host) {
        size_t slot = SIZE_MAX;
        enum in_flight_result result = in_flight_enter(calls, instance, host, &slot);

        assert_int_equal(slot, SIZE_MAX);
        return result;
}

static void instance_has_a_bound(void **state) {
        size_t slot;

        (void)state;
        (void)enter("1", "a");
        slot = enter("1", "a");
        assert_int_equal(refused("1", "a"), IN_FLIGHT_INSTANCE);
        (void)enter("11", "a");
        in_flight_leave(calls, slot);
        (void)enter("1", "a");
}

static void host_has_a_bound(void **state) {
        size_t slot;

        (void)state;
        (void)enter("1", "a");
        (void)enter("2", "a");
        slot = enter("3", "a");
        assert_int_equal(refused("4", "a"), IN_FLIGHT_HOST);
        (void)enter("4", "b");
        in_flight_leave(calls, slot);
        (void)enter("4", "a");
}

static void all_have_a_bound(void **state) {
        size_t slot;

        (void)state;
        for (int i = 0; i < 3; i++)
                (void)enter(i == 0 ? "1" : i == 1 ? "2" : "3", "a");
        (void)enter("4", "b");
        slot = enter("5", "b");
        assert_int_equal(refused("6", "c"), IN_FLIGHT_ALL);
        in_flight_leave(calls, slot);
        (void)enter("6", "c");
}

static void bound_is_never_above_the_slots(void **state) {
        struct in_flight *many = in_flight_new((struct in_flight_bounds){.instance = 1000, .host = 1000, .all = 1000});
        size_t slot, n = 0;

        (void)state;
        while (in_flight_enter(many, "1", "a", &slot) == IN_FLIGHT_OK)
                n++;
        assert_int_equal(n, IN_FLIGHT_MAX);
        in_flight_free(many);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(instance_has_a_bound, begin, end),
                cmocka_unit_test_setup_teardown(host_has_a_bound, begin, end),
                cmocka_unit_test_setup_teardown(all_have_a_bound, begin, end),
                cmocka_unit_test(bound_is_never_above_the_slots),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
