/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/store.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define FP "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56"
#define TYPE "ssh-ed25519"
#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1"

static struct arguments asked;
static const char *why;

/* The arguments behind the program's name, copied to where they stay: what is parsed points to them. */
static enum arguments_result parse_list(const char *const *arguments, size_t n) {
        static char copies[300000], *argv[32];
        size_t used = 0;

        assert_true(n + 2 <= ELEMENTS(argv));
        for (size_t i = 0; i <= n; i++) {
                const char *one = i == 0 ? "exc-authorized-keys" : arguments[i - 1];
                size_t length = strlen(one) + 1;

                assert_true(length <= sizeof(copies) - used);
                argv[i] = memcpy(copies + used, one, length);
                used += length;
        }
        argv[n + 1] = NULL;
        memset(&asked, 0xa5, sizeof(asked));
        why = NULL;
        return arguments_parse((int)n + 1, argv, &asked, &why);
}

#define parse(...) parse_list((const char *const[]){__VA_ARGS__}, ELEMENTS(((const char *const[]){__VA_ARGS__})))
#define assert_wrong(...)                                                                                              \
        do {                                                                                                           \
                assert_int_equal(parse(__VA_ARGS__), ARGUMENTS_WRONG);                                                 \
                assert_non_null(why);                                                                                  \
                assert_true(strlen(why) > 0);                                                                          \
        } while (0)

static void a_user_alone_is_a_listing(void **state) {
        (void)state;
        assert_int_equal(parse("ada"), ARGUMENTS_RUN);
        assert_string_equal(asked.user, "ada");
        assert_null(asked.fingerprint);
        assert_false(asked.has_key);
        assert_false(asked.foreign_key);
        assert_null(asked.chain);
        assert_null(asked.chain_user);
        assert_false(asked.expiry_time);
        assert_string_equal(asked.runtime_dir, STORE_RUNTIME_DIR);
        assert_null(why);
}

static void a_fingerprint_may_come_without_its_key(void **state) {
        (void)state;
        assert_int_equal(parse("ada", FP), ARGUMENTS_RUN);
        assert_string_equal(asked.user, "ada");
        assert_string_equal(asked.fingerprint, FP);
        assert_false(asked.has_key);
        assert_false(asked.foreign_key);
}

static void the_offered_key_is_taken_apart(void **state) {
        (void)state;
        assert_int_equal(parse("ada", FP, TYPE, KEY), ARGUMENTS_RUN);
        assert_string_equal(asked.fingerprint, FP);
        assert_true(asked.has_key);
        assert_false(asked.foreign_key);
        assert_int_equal(asked.key.type, SSH_KEY_ED25519);
        assert_int_equal(asked.key.blob_length, 51);
        assert_memory_equal(asked.key.blob + 19, "abcdefghijklmnopqrstuvwxyz012345", 32);
}

static void a_key_that_cannot_be_ours_is_foreign_and_no_fault(void **state) {
        static const char *const keys[][2] = {
                {"ssh-ed25519-cert-v01@openssh.com", "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"},
                {"ssh-ed25519-cert-v01@openssh.com", KEY},
                {"ssh-rsa", KEY},
                {"", KEY},
                {"ssh-ed25519 ", KEY},
                {"SSH-ED25519", KEY},
                {TYPE, ""},
                {TYPE, "AAAA"},
                {TYPE, "!"},
                {TYPE, KEY "AAAA"},
                {TYPE, " " KEY},
                {TYPE, KEY "\n"},
                {"ssh-dss", "AAAAB3NzaC1kc3M="},
                {"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "AAAA"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                assert_int_equal(parse("ada", FP, keys[i][0], keys[i][1]), ARGUMENTS_RUN);
                assert_false(asked.has_key);
                assert_true(asked.foreign_key);
        }
}

static void a_key_of_any_length_is_looked_at_within_limits(void **state) {
        static char text[200000];

        (void)state;
        for (size_t n = sizeof(text) - 4; n > 0; n = n / 3 / 4 * 4) {
                memset(text, 'A', n);
                text[n] = '\0';
                assert_int_equal(parse("ada", FP, TYPE, text), ARGUMENTS_RUN);
                assert_true(asked.foreign_key);
        }
}

static void options_come_before_the_user(void **state) {
        (void)state;
        assert_int_equal(parse("--expiry-time", "--runtime-dir", "/run/x", "ada", FP), ARGUMENTS_RUN);
        assert_true(asked.expiry_time);
        assert_string_equal(asked.runtime_dir, "/run/x");
        assert_string_equal(asked.user, "ada");
        assert_wrong("ada", FP, "--expiry-time");
        assert_false(asked.expiry_time);
        assert_wrong("ada", FP, TYPE, KEY, "--expiry-time");
        assert_false(asked.expiry_time);
}

static void another_number_of_arguments_is_wrong(void **state) {
        static char *const none[] = {NULL};

        (void)state;
        assert_int_equal(parse_list(NULL, 0), ARGUMENTS_WRONG);
        assert_non_null(why);
        assert_wrong("--expiry-time");
        assert_wrong("ada", FP, TYPE);
        assert_wrong("ada", FP, TYPE, KEY, "more");
        assert_int_equal(arguments_parse(0, none, &asked, &why), ARGUMENTS_WRONG);
}

static void an_option_that_is_not_known_is_wrong(void **state) {
        (void)state;
        assert_wrong("--expiry", "ada");
        assert_wrong("-e", "ada");
        assert_wrong("-", "ada");
        assert_wrong("--runtime-dir=/run/x", "ada");
        assert_wrong("--Help", "ada");
}

static void an_option_without_its_value_is_wrong(void **state) {
        (void)state;
        assert_wrong("--runtime-dir");
        assert_wrong("--runtime-dir", "", "ada");
        assert_wrong("--chain-user", "--", "/bin/true");
        assert_wrong("--chain-user", "", "ada", "--", "/bin/true");
        /* What stands behind "--" is not ours to take. */
        assert_wrong("--runtime-dir", "--", "/bin/true");
        assert_string_equal(asked.chain[0], "/bin/true");
}

static void a_runtime_folder_is_an_absolute_path(void **state) {
        (void)state;
        assert_wrong("--runtime-dir", "run", "ada");
        assert_wrong("--runtime-dir", "./run", "ada");
}

/* sshd hands over whatever login name the name service knows. */
static void no_login_name_is_taken_for_an_option(void **state) {
        static const char *const names[] = {"-x", "--help", "--version", "--expiry-time", "--runtime-dir", "-"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                assert_wrong(names[i], FP, TYPE, KEY);
                assert_wrong("--expiry-time", "--chain-user", "svc", names[i], FP, TYPE, KEY, "--", "/bin/other", "x");
                assert_string_equal(asked.chain[0], "/bin/other");
                assert_string_equal(asked.chain_user, "svc");
        }
}

static void help_and_version_stand_alone(void **state) {
        (void)state;
        assert_int_equal(parse("--help"), ARGUMENTS_HELP);
        assert_int_equal(parse("--version"), ARGUMENTS_VERSION);
        assert_int_equal(parse("--expiry-time", "--help"), ARGUMENTS_HELP);
}

static void everything_behind_two_dashes_is_the_other_command(void **state) {
        (void)state;
        assert_int_equal(
                parse("--chain-user", "svc", "ada", FP, "--", "/bin/other", "--help", "--", "--chain-user", "root"),
                ARGUMENTS_RUN);
        assert_string_equal(asked.chain_user, "svc");
        assert_string_equal(asked.user, "ada");
        assert_string_equal(asked.chain[0], "/bin/other");
        assert_string_equal(asked.chain[1], "--help");
        assert_string_equal(asked.chain[2], "--");
        assert_string_equal(asked.chain[3], "--chain-user");
        assert_string_equal(asked.chain[4], "root");
        assert_null(asked.chain[5]);
}

static void two_dashes_without_a_command_are_wrong(void **state) {
        (void)state;
        assert_wrong("ada", "--");
        assert_null(asked.chain);
        assert_wrong("--");
        assert_null(asked.chain);
}

static void a_chain_user_without_a_chain_is_wrong(void **state) {
        (void)state;
        assert_wrong("--chain-user", "svc", "ada");
        assert_null(asked.chain);
}

static void what_is_wrong_with_ours_does_not_take_the_other_command_away(void **state) {
        (void)state;
        assert_wrong("--bogus", "ada", "--", "/bin/other", "x");
        assert_string_equal(asked.chain[0], "/bin/other");
        assert_string_equal(asked.chain[1], "x");
        assert_null(asked.chain_user);
        assert_wrong("--", "/bin/other");
        assert_string_equal(asked.chain[0], "/bin/other");
        assert_wrong("ada", FP, TYPE, "--", "/bin/other");
        assert_string_equal(asked.chain[0], "/bin/other");
}

/* sshd runs us as root there: a slip of the pen in front of --chain-user must not give root's rights to the other command. */
static void what_is_wrong_with_ours_does_not_give_the_other_command_more_rights(void **state) {
        (void)state;
        assert_wrong("--bogus", "--chain-user", "svc", "ada", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "svc");
        assert_wrong("--runtime-dir", "", "--chain-user", "svc", "ada", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "svc");
        assert_wrong("ada", FP, "--chain-user", "svc", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "svc");
        assert_wrong("--chain-user=svc", "ada", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "svc");
        assert_wrong("--chain-user", "svc", "--chain-user", "root", "ada", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "svc");
        /* No user has this name: the other command is not run at all. */
        assert_wrong("--bogus", "--chain-user", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "");
        assert_wrong("--chain-user", "--", "/bin/other");
        assert_string_equal(asked.chain_user, "");
        /* And what is the other command's own is not ours. */
        assert_wrong("--bogus", "ada", "--", "/bin/other", "--chain-user", "svc");
        assert_null(asked.chain_user);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_user_alone_is_a_listing),
                cmocka_unit_test(a_fingerprint_may_come_without_its_key),
                cmocka_unit_test(the_offered_key_is_taken_apart),
                cmocka_unit_test(a_key_that_cannot_be_ours_is_foreign_and_no_fault),
                cmocka_unit_test(a_key_of_any_length_is_looked_at_within_limits),
                cmocka_unit_test(options_come_before_the_user),
                cmocka_unit_test(another_number_of_arguments_is_wrong),
                cmocka_unit_test(an_option_that_is_not_known_is_wrong),
                cmocka_unit_test(an_option_without_its_value_is_wrong),
                cmocka_unit_test(a_runtime_folder_is_an_absolute_path),
                cmocka_unit_test(no_login_name_is_taken_for_an_option),
                cmocka_unit_test(help_and_version_stand_alone),
                cmocka_unit_test(everything_behind_two_dashes_is_the_other_command),
                cmocka_unit_test(two_dashes_without_a_command_are_wrong),
                cmocka_unit_test(a_chain_user_without_a_chain_is_wrong),
                cmocka_unit_test(what_is_wrong_with_ours_does_not_take_the_other_command_away),
                cmocka_unit_test(what_is_wrong_with_ours_does_not_give_the_other_command_more_rights),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
