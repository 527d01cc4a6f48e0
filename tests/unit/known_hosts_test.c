/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/known_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Made with ssh-keygen for this test. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"

static void assert_name(const char *text, const char *expected) {
        char name[KNOWN_HOSTS_NAME_MAX];

        if (!known_hosts_name(text, name))
                fail_msg("refused: %s", text);
        assert_string_equal(name, expected);
}

static void assert_no_name(const char *text) {
        char name[KNOWN_HOSTS_NAME_MAX] = "untouched";

        if (known_hosts_name(text, name))
                fail_msg("taken: %s", text);
        assert_string_equal(name, "untouched");
}

static void a_host_is_a_name_an_alias_or_an_address(void **state) {
        static const char *const good[] = {"vm7", "vm-7.example.org", "i_12", "192.0.2.7", "2001:db8::1",
                                           "::1", "fe80::1%eth0"};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_name(good[i], good[i]);
}

static void a_port_stands_behind_brackets(void **state) {
        (void)state;
        assert_name("[vm7]:2222", "[vm7]:2222");
        assert_name("[2001:db8::1]:65535", "[2001:db8::1]:65535");
}

static void port_22_is_left_out_as_ssh_leaves_it_out(void **state) {
        (void)state;
        assert_name("[vm7]:22", "vm7");
}

static void what_is_more_than_one_host_is_refused(void **state) {
        static const char *const bad[] = {"a,b", "*", "vm?", "!vm7", "vm7 ssh-rsa", "vm7\tx", "a\nb", "a\rb", "a*"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_no_name(bad[i]);
}

static void markers_hashes_and_comments_are_refused(void **state) {
        static const char *const bad[] = {"@revoked", "@cert-authority", "|1|a|b",   "#vm7", "-vm7", ".vm7",
                                          "",         "vm\x7f",          "v\xc3\xbc"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_no_name(bad[i]);
}

static void what_is_no_port_is_refused(void **state) {
        static const char *const bad[] = {"[vm7]",
                                          "[vm7]:",
                                          "[vm7]:0",
                                          "[vm7]:022",
                                          "[vm7]:65536",
                                          "[vm7]:22x",
                                          "[vm7]2222",
                                          "[]:2222",
                                          "[vm7:2222",
                                          "[vm7]:+22",
                                          "[[vm7]]:22",
                                          "[*]:2222",
                                          "[vm7]:99999999999999999999"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_no_name(bad[i]);
}

static void a_name_has_at_most_255_characters(void **state) {
        char text[1 + 256 + 7 + 1] = "[";

        (void)state;
        memset(text + 1, 'x', 255);
        memcpy(text + 256, "]:65535", 8);
        assert_name(text, text);
        memset(text + 1, 'x', 256);
        memcpy(text + 257, "]:6553", 7);
        assert_no_name(text);
}

static void a_line_is_name_type_and_key(void **state) {
        char line[KNOWN_HOSTS_LINE_MAX];
        struct ssh_key key;

        (void)state;
        assert_int_equal(ssh_key_from_text(ED25519, strlen(ED25519), &key), SSH_KEY_OK);
        known_hosts_line("[vm7]:2222", &key, line);
        assert_string_equal(line, "[vm7]:2222 " ED25519);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_host_is_a_name_an_alias_or_an_address),
                cmocka_unit_test(a_port_stands_behind_brackets),
                cmocka_unit_test(port_22_is_left_out_as_ssh_leaves_it_out),
                cmocka_unit_test(what_is_more_than_one_host_is_refused),
                cmocka_unit_test(markers_hashes_and_comments_are_refused),
                cmocka_unit_test(what_is_no_port_is_refused),
                cmocka_unit_test(a_name_has_at_most_255_characters),
                cmocka_unit_test(a_line_is_name_type_and_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
