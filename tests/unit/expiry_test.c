/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool no_memory;

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
        return no_memory ? NULL : __real_strdup(text);
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size) {
        return no_memory ? NULL : __real_reallocarray(old, n, size);
}

static void users_are_counted_each_for_himself_in_whatever_order_they_come(void **state) {
        struct tally tally = TALLY_INIT;
        char name[16];

        (void)state;
        assert_int_equal(tally_of(&tally, "u0"), 0);
        /* 7 and 101 have no common divisor: each user comes once in a round, and never in order. */
        for (int round = 1; round <= 3; round++)
                for (int i = 0; i < 101; i++) {
                        (void)snprintf(name, sizeof(name), "u%d", i * 7 % 101);
                        tally_add(&tally, name, (size_t)round);
                }
        assert_true(tally.whole);
        assert_int_equal(tally.n, 101);
        for (int i = 0; i < 101; i++) {
                (void)snprintf(name, sizeof(name), "u%d", i);
                assert_int_equal(tally_of(&tally, name), 1 + 2 + 3);
        }
        assert_int_equal(tally_of(&tally, "u"), 0);
        assert_int_equal(tally_of(&tally, "u101"), 0);
        tally_clear(&tally);
}

static void a_user_who_cannot_be_added_makes_it_incomplete_and_takes_nothing_from_others(void **state) {
        struct tally tally = TALLY_INIT;

        (void)state;
        tally_add(&tally, "alice", 2);
        no_memory = true;
        tally_add(&tally, "alice", 1);
        assert_true(tally.whole);
        tally_add(&tally, "bob", 1);
        no_memory = false;
        assert_false(tally.whole);
        assert_int_equal(tally_of(&tally, "alice"), 3);
        assert_int_equal(tally_of(&tally, "bob"), 0);
        tally_clear(&tally);
}

static void what_was_cleared_is_not_whole(void **state) {
        struct tally tally = TALLY_INIT;

        (void)state;
        tally_add(&tally, "alice", 1);
        tally_clear(&tally);
        assert_false(tally.whole);
        assert_int_equal(tally_of(&tally, "alice"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(users_are_counted_each_for_himself_in_whatever_order_they_come),
                cmocka_unit_test(a_user_who_cannot_be_added_makes_it_incomplete_and_takes_nothing_from_others),
                cmocka_unit_test(what_was_cleared_is_not_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
