/* SPDX-License-Identifier: Apache-2.0 */
/* The build defines TOP_SRCDIR, the absolute path of the sources. */
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_are_those_of_the_interface_in_its_order(void **state) {
        FILE *file = fopen(TOP_SRCDIR "/interface/" VARLINK_INTERFACE ".varlink", "re");
        int why = REFUSAL_NONE + 1;
        char line[1024], name[64];

        (void)state;
        assert_non_null(file);
        while (fgets(line, sizeof(line), file)) {
                if (sscanf(line, "error %63[A-Za-z]", name) != 1)
                        continue;
                assert_true(why < REFUSAL_MAX_);
                assert_string_equal(refusal_name((enum refusal)why), name);
                assert_int_equal(refusal_from_name(name), why);
                why++;
        }
        (void)fclose(file);
        assert_int_equal(why, REFUSAL_MAX_);
}

static void exit_statuses_count_from_10_in_that_order(void **state) {
        (void)state;
        assert_int_equal(refusal_exit_status(REFUSAL_NONE), 0);
        assert_int_equal(refusal_exit_status(REFUSAL_PERMISSION_DENIED), 10);
        assert_int_equal(refusal_exit_status(REFUSAL_TOO_LARGE), 11);
        assert_int_equal(refusal_exit_status(REFUSAL_STORAGE_FAILURE), 26);
        for (int why = REFUSAL_NONE + 1; why < REFUSAL_MAX_; why++)
                assert_int_equal(refusal_exit_status((enum refusal)why), 9 + why);
}

static void other_values_have_no_name(void **state) {
        (void)state;
        assert_null(refusal_name(REFUSAL_NONE));
        assert_null(refusal_name(REFUSAL_MAX_));
        assert_int_equal(refusal_from_name("keyrejected"), REFUSAL_NONE);
        assert_int_equal(refusal_from_name("KeyRejected2"), REFUSAL_NONE);
        assert_int_equal(refusal_from_name(VARLINK_INTERFACE ".KeyRejected"), REFUSAL_NONE);
        assert_int_equal(refusal_from_name(""), REFUSAL_NONE);
}

static void refusal_replaces_an_earlier_one(void **state) {
        struct refused refused = {.index = 3, .retry_after_ms = 7, .field = "old"};

        (void)state;
        assert_int_equal(refuse(&refused, REFUSAL_NO_SUCH_USER, "no user %s", "alice"), REFUSAL_NO_SUCH_USER);
        assert_int_equal(refused.why, REFUSAL_NO_SUCH_USER);
        assert_string_equal(refused.message, "no user alice");
        assert_string_equal(refused.field, "");
        assert_int_equal(refused.index, 0);
        assert_int_equal(refused.retry_after_ms, 0);
}

static void field_at_fault_is_invalid_payload(void **state) {
        struct refused refused;

        (void)state;
        assert_int_equal(refuse_field(&refused, "ttl", "%d is too small", 0), REFUSAL_INVALID_PAYLOAD);
        assert_int_equal(refused.why, REFUSAL_INVALID_PAYLOAD);
        assert_string_equal(refused.field, "ttl");
        assert_string_equal(refused.message, "0 is too small");
}

static void long_message_is_cut(void **state) {
        struct refused refused;
        char text[2 * sizeof(refused.message)];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        (void)refuse(&refused, REFUSAL_EXPIRED, "%s", text);
        assert_int_equal(strlen(refused.message), sizeof(refused.message) - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_those_of_the_interface_in_its_order),
                cmocka_unit_test(exit_statuses_count_from_10_in_that_order),
                cmocka_unit_test(other_values_have_no_name),
                cmocka_unit_test(refusal_replaces_an_earlier_one),
                cmocka_unit_test(field_at_fault_is_invalid_payload),
                cmocka_unit_test(long_message_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
