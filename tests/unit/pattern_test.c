/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/pattern.h"

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
                assert_int_equal(pattern_matches(cases[i].pattern, cases[i].name), cases[i].matches);
}

static void many_stars_take_no_longer(void **state) {
        char name[257], pattern[257];

        (void)state;
        memset(name, 'a', 256);
        name[256] = '\0';
        for (size_t i = 0; i < 254; i += 2)
                memcpy(pattern + i, "a*", 2);
        memcpy(pattern + 254, "b", 2);
        assert_false(pattern_matches(pattern, name));
}

static void a_list_takes_back_what_stands_behind_an_exclamation_mark(void **state) {
        char longest[600];

        (void)state;
        assert_int_equal(pattern_list("a,b*", "bob"), 1);
        assert_int_equal(pattern_list("a,b*", "carol"), 0);
        assert_int_equal(pattern_list("*,!bob", "bob"), -1);
        assert_int_equal(pattern_list("!bob,*", "bob"), -1);
        assert_int_equal(pattern_list("!bob", "alice"), 0);
        assert_int_equal(pattern_list("", "alice"), 0);
        memset(longest, '*', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(pattern_list(longest, "alice"), 0);
}

static void addresses_are_in_networks_or_match_a_pattern(void **state) {
        static const struct {
                const char *list, *address;
                int matches;
        } cases[] = {
                {"192.0.2.1", "192.0.2.1", 1},
                {"192.0.2.1", "192.0.2.11", 0},
                {"192.0.2.0/25", "192.0.2.127", 1},
                {"192.0.2.0/25", "192.0.2.128", 0},
                {"0.0.0.0/0", "192.0.2.1", 1},
                {"0.0.0.0/0", "2001:db8::1", 0},
                {"2001:db8::/32", "2001:db8:ffff::1", 1},
                {"2001:DB8:0::1", "2001:db8::1", 1},
                {"2001:db8::/32", "2001:db9::1", 0},
                {"192.0.2.*", "192.0.2.7", 1},
                {"192.0.2.?", "192.0.2.17", 0},
                {"10.0.0.0/8,!10.1.0.0/16", "10.2.0.1", 1},
                {"10.0.0.0/8,!10.1.0.0/16", "10.1.0.1", -1},
                {"*,!127.0.0.0/8", "127.0.0.1", -1},
                {"::/0", "fe80::1%eth0", 0},
                {"fe80::*", "fe80::1%eth0", 1},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(pattern_address_list(cases[i].list, cases[i].address), cases[i].matches);
}

/* Measured with sshd: bookworm's 9.2 and trixie's 10.0 differ in the first three. */
static void an_entry_is_about_a_user_and_a_host(void **state) {
        static const struct {
                const char *entry, *host, *address;
                bool at_9_2, at_10_0;
        } cases[] = {
                {"dana@ex.com@127.0.0.1", "127.0.0.1", "127.0.0.1", false, true},
                {"dana@ex.com@127.0.0.0/8", "127.0.0.1", "127.0.0.1", false, true},
                {"dana@ex.com@*", "127.0.0.1", "127.0.0.1", false, true},
                {"dana@ex.com", "127.0.0.1", "127.0.0.1", false, false},
                {"dana?ex.com", "127.0.0.1", "127.0.0.1", true, true},
                {"dana*", "127.0.0.1", "127.0.0.1", true, true},
                {"dana@*", "127.0.0.1", "127.0.0.1", false, false},
                {"dana?ex.com@localhost", "127.0.0.1", "127.0.0.1", false, false},
                {"dana?ex.com@LocalHost", "localhost", "127.0.0.1", true, true},
                {"dana?ex.com@!127.0.0.1,*", "127.0.0.1", "127.0.0.1", false, false},
                {"dana?ex.com@!localhost,127.0.0.0/8", "localhost", "127.0.0.1", false, false},
                {"*@127.0.0.1", "127.0.0.1", "127.0.0.1", true, true},
                {"*@192.0.2.0/24,127.0.0.0/8", "127.0.0.1", "127.0.0.1", true, true},
                {"*@192.0.2.0/24", "127.0.0.1", "127.0.0.1", false, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_int_equal(pattern_user(cases[i].entry, 902, "dana@ex.com", cases[i].host, cases[i].address),
                                 cases[i].at_9_2);
                assert_int_equal(pattern_user(cases[i].entry, 1000, "dana@ex.com", cases[i].host, cases[i].address),
                                 cases[i].at_10_0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(stars_and_question_marks_stand_for_others),
                cmocka_unit_test(many_stars_take_no_longer),
                cmocka_unit_test(a_list_takes_back_what_stands_behind_an_exclamation_mark),
                cmocka_unit_test(addresses_are_in_networks_or_match_a_pattern),
                cmocka_unit_test(an_entry_is_about_a_user_and_a_host),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
