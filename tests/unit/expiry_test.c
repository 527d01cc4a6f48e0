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

static void users_are_counted_apart_in_any_order(void **state) {
        struct expiry_counts counts = EXPIRY_COUNTS_INIT;
        char name[16];

        (void)state;
        assert_int_equal(expiry_counts_of(&counts, "u0"), 0);
        /* 7 and 101 have no common divisor: each user comes once in a round, never in order. */
        for (int round = 1; round <= 3; round++)
                for (int i = 0; i < 101; i++) {
                        (void)snprintf(name, sizeof(name), "u%d", i * 7 % 101);
                        expiry_counts_add(&counts, name, (size_t)round);
                }
        assert_true(counts.complete);
        assert_int_equal(counts.n, 101);
        for (int i = 0; i < 101; i++) {
                (void)snprintf(name, sizeof(name), "u%d", i);
                assert_int_equal(expiry_counts_of(&counts, name), 1 + 2 + 3);
        }
        assert_int_equal(expiry_counts_of(&counts, "u"), 0);
        assert_int_equal(expiry_counts_of(&counts, "u101"), 0);
        expiry_counts_clear(&counts);
}

static void user_without_memory_makes_counts_incomplete(void **state) {
        struct expiry_counts counts = EXPIRY_COUNTS_INIT;

        (void)state;
        expiry_counts_add(&counts, "alice", 2);
        no_memory = true;
        expiry_counts_add(&counts, "alice", 1);
        assert_true(counts.complete);
        expiry_counts_add(&counts, "bob", 1);
        no_memory = false;
        assert_false(counts.complete);
        assert_int_equal(expiry_counts_of(&counts, "alice"), 3);
        assert_int_equal(expiry_counts_of(&counts, "bob"), 0);
        expiry_counts_clear(&counts);
}

static void cleared_counts_are_incomplete(void **state) {
        struct expiry_counts counts = EXPIRY_COUNTS_INIT;

        (void)state;
        expiry_counts_add(&counts, "alice", 1);
        expiry_counts_clear(&counts);
        assert_false(counts.complete);
        assert_int_equal(expiry_counts_of(&counts, "alice"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(users_are_counted_apart_in_any_order),
                cmocka_unit_test(user_without_memory_makes_counts_incomplete),
                cmocka_unit_test(cleared_counts_are_incomplete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
