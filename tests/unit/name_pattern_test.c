/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/name_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void stars_and_question_marks_stand_for_others(void **state) {
        static const struct {
                const char *pattern, *name;
                bool matches;
        } cases[] = {
                {"alice", "alice", true},
                {"alice", "Alice", false},
                {"alice", "alice2", false},
                {"alic", "alice", false},
                {"*", "alice", true},
                {"*", "", true},
                {"", "", true},
                {"", "a", false},
                {"?", "", false},
                {"?????", "alice", true},
                {"????", "alice", false},
                {"a*e", "alice", true},
                {"a*e", "ae", true},
                {"a*e", "alic", false},
                {"*ice", "alice", true},
                {"*ce*", "alice", true},
                {"a**e", "alice", true},
                {"a*b*c", "aXbXbXc", true},
                {"a*b*c", "aXbXbX", false},
                {"a[l]ice", "alice", false},
                {"*a", "aaab", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(name_pattern_matches(cases[i].pattern, cases[i].name), cases[i].matches);
}

static void many_stars_take_no_longer(void **state) {
        char name[257], pattern[257];

        (void)state;
        memset(name, 'a', 256);
        name[256] = '\0';
        for (size_t i = 0; i < 254; i += 2)
                memcpy(pattern + i, "a*", 2);
        memcpy(pattern + 254, "b", 2);
        assert_false(name_pattern_matches(pattern, name));
}

static void a_host_behind_the_name_leaves_it_open(void **state) {
        (void)state;
        assert_int_equal(name_pattern_user("alice", "alice"), NAME_YES);
        assert_int_equal(name_pattern_user("bob", "alice"), NAME_NO);
        assert_int_equal(name_pattern_user("alice@192.0.2.*", "alice"), NAME_FROM_SOMEWHERE);
        assert_int_equal(name_pattern_user("*@192.0.2.1", "alice"), NAME_FROM_SOMEWHERE);
        assert_int_equal(name_pattern_user("bob@192.0.2.1", "alice"), NAME_NO);
        assert_int_equal(name_pattern_user("alice@example.org", "alice@example.org"), NAME_YES);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(stars_and_question_marks_stand_for_others),
                cmocka_unit_test(many_stars_take_no_longer),
                cmocka_unit_test(a_host_behind_the_name_leaves_it_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
