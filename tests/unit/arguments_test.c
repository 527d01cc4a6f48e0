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

/* The arguments behind the program's name, in static memory: the result points to them. */
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

static void user_alone_is_a_listing(void **state) {
        (void)state;
        assert_int_equal(parse("ada"), ARGUMENTS_RUN);
        assert_string_equal(asked.user, "ada");
        assert_null(asked.fingerprint);
        assert_false(asked.has_key);
        assert_false(asked.foreign_key);
        assert_null(asked.chain);
        assert_null(asked.chain_user);
        assert_false(asked.expiry_time);
        assert_false(asked.verbose);
        assert_false(asked.has_caller);
        assert_string_equal(asked.runtime_dir, STORE_RUNTIME_DIR);
        assert_null(why);
}

static void fingerprint_may_come_without_its_key(void **state) {
        (void)state;
        assert_int_equal(parse("ada", FP), ARGUMENTS_RUN);
        assert_string_equal(asked.user, "ada");
        assert_string_equal(asked.fingerprint, FP);
        assert_false(asked.has_key);
        assert_false(asked.foreign_key);
}

static void offered_key_is_parsed(void **state) {
        (void)state;
        assert_int_equal(parse("ada", FP, TYPE, KEY), ARGUMENTS_RUN);
        assert_string_equal(asked.fingerprint, FP);
        assert_string_equal(asked.type, TYPE);
        assert_string_equal(asked.key_text, KEY);
        assert_true(asked.has_key);
        assert_false(asked.foreign_key);
        assert_int_equal(asked.key.type, SSH_KEY_ED25519);
        assert_int_equal(asked.key.blob_length, 51);
        assert_memory_equal(asked.key.blob + 19, "abcdefghijklmnopqrstuvwxyz012345", 32);
}

static void foreign_key_is_no_usage_error(void **state) {
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

static void key_of_any_length_is_parsed_within_limits(void **state) {
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

static void wrong_number_of_arguments_is_wrong(void **state) {
        static char *const none[] = {NULL};

        (void)state;
        assert_int_equal(parse_list(NULL, 0), ARGUMENTS_WRONG);
        assert_non_null(why);
        assert_wrong("--expiry-time");
        assert_wrong("ada", FP, TYPE);
        assert_wrong("ada", FP, TYPE, KEY, "more");
        assert_int_equal(arguments_parse(0, none, &asked, &why), ARGUMENTS_WRONG);
}

static void unknown_option_is_wrong(void **state) {
        (void)state;
        assert_wrong("--expiry", "ada");
        assert_wrong("-e", "ada");
        assert_wrong("-", "ada");
        assert_wrong("--runtime-dir=/run/x", "ada");
        assert_wrong("--Help", "ada");
}

static void option_without_its_value_is_wrong(void **state) {
        (void)state;
        assert_wrong("--runtime-dir");
        assert_wrong("--runtime-dir", "", "ada");
        assert_wrong("--chain-user", "--", "/bin/true");
        assert_wrong("--chain-user", "", "ada", "--", "/bin/true");
        /* A word behind "--" is not our option's value. */
        assert_wrong("--runtime-dir", "--", "/bin/true");
        assert_string_equal(asked.chain[0], "/bin/true");
}

static void runtime_dir_is_an_absolute_path(void **state) {
        (void)state;
        assert_wrong("--runtime-dir", "run", "ada");
        assert_wrong("--runtime-dir", "./run", "ada");
}

static void connection_is_passed_by_the_chain_program(void **state) {
        (void)state;
        assert_int_equal(parse("--connection", "4711:812345", "--verbose", "ada", FP), ARGUMENTS_RUN);
        assert_true(asked.verbose);
        assert_true(asked.has_caller);
        assert_int_equal(asked.caller.result, 0);
        assert_int_equal(asked.caller.id.pid, 4711);
        assert_int_equal(asked.caller.id.start_ticks, 812345);
        assert_int_equal(parse("--connection", "errno:13", "ada", FP), ARGUMENTS_RUN);
        assert_true(asked.has_caller);
        assert_int_equal(asked.caller.result, -13);
        assert_wrong("--connection", "4711", "ada", FP);
        assert_wrong("--connection", "", "ada", FP);
        assert_wrong("--connection", "4711:5", "--connection", "4711:6", "ada", FP);
        /* It is the chain program that identifies the connection. */
        assert_wrong("--connection", "4711:5", "ada", FP, "--", "/bin/other");
        assert_string_equal(asked.chain[0], "/bin/other");
}

static void separator_is_the_first_two_dashes(void **state) {
        char *const words[] = {(char[]){"--"}, (char[]){"ada"}, (char[]){"--"}, (char[]){"x"}, (char[]){"--"}, NULL};

        (void)state;
        assert_int_equal(arguments_separator(5, words), 2);
        assert_int_equal(arguments_separator(2, words), 2);
        assert_int_equal(arguments_separator(1, words), 1);
        assert_int_equal(arguments_separator(0, words), 0);
}

/* sshd passes any login name that the name service knows. */
static void no_login_name_is_read_as_an_option(void **state) {
        static const char *const names[] = {"-x", "--help",    "--version",   "--expiry-time", "--runtime-dir",
                                            "-",  "--verbose", "--connection"};

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

static void words_behind_two_dashes_are_the_other_command(void **state) {
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

static void chain_user_without_a_command_is_wrong(void **state) {
        (void)state;
        assert_wrong("--chain-user", "svc", "ada");
        assert_null(asked.chain);
}

static void wrong_options_keep_the_other_command(void **state) {
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

/* sshd runs us as root there: a typing error before --chain-user must not run the other command as root. */
static void wrong_options_keep_the_other_commands_user(void **state) {
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
        /* The other command's own arguments are not ours. */
        assert_wrong("--bogus", "ada", "--", "/bin/other", "--chain-user", "svc");
        assert_null(asked.chain_user);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(user_alone_is_a_listing),
                cmocka_unit_test(fingerprint_may_come_without_its_key),
                cmocka_unit_test(offered_key_is_parsed),
                cmocka_unit_test(foreign_key_is_no_usage_error),
                cmocka_unit_test(key_of_any_length_is_parsed_within_limits),
                cmocka_unit_test(options_come_before_the_user),
                cmocka_unit_test(wrong_number_of_arguments_is_wrong),
                cmocka_unit_test(unknown_option_is_wrong),
                cmocka_unit_test(option_without_its_value_is_wrong),
                cmocka_unit_test(runtime_dir_is_an_absolute_path),
                cmocka_unit_test(connection_is_passed_by_the_chain_program),
                cmocka_unit_test(separator_is_the_first_two_dashes),
                cmocka_unit_test(no_login_name_is_read_as_an_option),
                cmocka_unit_test(help_and_version_stand_alone),
                cmocka_unit_test(words_behind_two_dashes_are_the_other_command),
                cmocka_unit_test(two_dashes_without_a_command_are_wrong),
                cmocka_unit_test(chain_user_without_a_command_is_wrong),
                cmocka_unit_test(wrong_options_keep_the_other_command),
                cmocka_unit_test(wrong_options_keep_the_other_commands_user),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
