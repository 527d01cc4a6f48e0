/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/keys_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct keys_command command, expanded;

static const struct keys_command_tokens tokens = {.user = "alice",
                                                  .uid = "1000",
                                                  .home = "/home/alice",
                                                  .fingerprint = "SHA256:x",
                                                  .type = "ssh-ed25519",
                                                  .key = "AAAA"};

/* The words, with "|" behind each. */
static void assert_words(const struct keys_command *found, const char *expected) {
        char joined[KEYS_COMMAND_SIZE_MAX * 2] = "";

        for (int i = 0; i < found->n; i++) {
                strcat(joined, found->word[i]);
                strcat(joined, "|");
        }
        assert_string_equal(joined, expected);
        assert_null(found->word[found->n]);
}

/* As OpenSSH 9.2 and 10.0 take them apart, tried with an AuthorizedKeysCommand that prints its arguments. */
static void words_are_split_as_sshd_splits_them(void **state) {
        static const struct {
                const char *line, *words;
        } cases[] = {
                {"/bin/x", "/bin/x|%u|"},
                {"/bin/x %u %f %t %k", "/bin/x|%u|%f|%t|%k|"},
                {"  /bin/x \t a  ", "/bin/x|a|"},
                {"/bin/x \"a b\" 'c d'", "/bin/x|a b|c d|"},
                {"/bin/x a\"b c\"d", "/bin/x|ab cd|"},
                {"/bin/x a\\ b", "/bin/x|a b|"},
                {"/bin/x \"a\\ b\"", "/bin/x|a\\ b|"},
                {"/bin/x \\\"a \\'b \\\\c \\d", "/bin/x|\"a|'b|\\c|\\d|"},
                {"/bin/x \"it's\" 'a\"b'", "/bin/x|it's|a\"b|"},
                {"/bin/x \"\" ''", "/bin/x|||"},
                {"/bin/x a #b", "/bin/x|a|#b|"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_true(keys_command_split(cases[i].line, &command));
                assert_words(&command, cases[i].words);
        }
}

static void an_open_quote_and_nothing_at_all_are_no_command(void **state) {
        (void)state;
        assert_false(keys_command_split("", &command));
        assert_false(keys_command_split(" \t", &command));
        assert_false(keys_command_split("/bin/x \"a", &command));
        assert_false(keys_command_split("/bin/x 'a", &command));
        assert_false(keys_command_split("/bin/x \"a\\\"", &command));
}

static void what_is_too_long_is_no_command(void **state) {
        char line[KEYS_COMMAND_SIZE_MAX + 8];

        (void)state;
        memset(line, 'x', sizeof(line));
        line[KEYS_COMMAND_SIZE_MAX] = '\0';
        assert_false(keys_command_split(line, &command));
        line[KEYS_COMMAND_SIZE_MAX - 1] = '\0'; /* there is no room for the %u */
        assert_false(keys_command_split(line, &command));
        line[KEYS_COMMAND_SIZE_MAX - 4] = '\0';
        assert_true(keys_command_split(line, &command));
        for (size_t i = 0; i < 2 * KEYS_COMMAND_WORDS_MAX; i += 2)
                memcpy(line + i, "x ", 2);
        line[2 * KEYS_COMMAND_WORDS_MAX] = '\0';
        assert_true(keys_command_split(line, &command));
        assert_int_equal(command.n, KEYS_COMMAND_WORDS_MAX);
        strcat(line, "x");
        assert_false(keys_command_split(line, &command));
}

static void tokens_are_replaced_within_words(void **state) {
        (void)state;
        assert_true(keys_command_split("/bin/x %u %U %h/.ssh %f %t %k a%%b --user=%u", &command));
        assert_true(keys_command_expand(&command, &tokens, &expanded));
        assert_words(&expanded, "/bin/x|alice|1000|/home/alice/.ssh|SHA256:x|ssh-ed25519|AAAA|a%b|--user=alice|");
}

/* They are put in after the words are split: a name is one word, whatever is in it. */
static void a_value_is_never_split(void **state) {
        struct keys_command_tokens odd = tokens;

        (void)state;
        odd.user = "a b\"c %u";
        assert_true(keys_command_split("/bin/x %u %f", &command));
        assert_true(keys_command_expand(&command, &odd, &expanded));
        assert_words(&expanded, "/bin/x|a b\"c %u|SHA256:x|");
}

/* sshd ends the connection over one that it does not know. */
static void a_token_that_sshd_may_not_know_is_no_command(void **state) {
        struct keys_command_tokens without_home = tokens;

        (void)state;
        without_home.home = NULL;
        assert_true(keys_command_split("/bin/x %C", &command));
        assert_false(keys_command_expand(&command, &tokens, &expanded));
        assert_true(keys_command_split("/bin/x a%", &command));
        assert_false(keys_command_expand(&command, &tokens, &expanded));
        assert_true(keys_command_split("/bin/x %h", &command));
        assert_false(keys_command_expand(&command, &without_home, &expanded));
}

static void values_that_do_not_fit_are_no_command(void **state) {
        char key[KEYS_COMMAND_SIZE_MAX];
        struct keys_command_tokens large = tokens;

        (void)state;
        memset(key, 'A', sizeof(key) - 1);
        key[sizeof(key) - 1] = '\0';
        large.key = key;
        assert_true(keys_command_split("/bin/x %k", &command));
        assert_false(keys_command_expand(&command, &large, &expanded));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_split_as_sshd_splits_them),
                cmocka_unit_test(an_open_quote_and_nothing_at_all_are_no_command),
                cmocka_unit_test(what_is_too_long_is_no_command),
                cmocka_unit_test(tokens_are_replaced_within_words),
                cmocka_unit_test(a_value_is_never_split),
                cmocka_unit_test(a_token_that_sshd_may_not_know_is_no_command),
                cmocka_unit_test(values_that_do_not_fit_are_no_command),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
