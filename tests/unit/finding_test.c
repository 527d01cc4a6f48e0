/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct findings findings;

static int setup(void **state) {
        (void)state;
        findings.n = 0;
        return 0;
}

static void plain_words_stand_in_a_remedy_as_they_are(void **state) {
        struct remedy remedy = remedy_of("chmod %o %s && echo 100%% %u", 02750U, "/run/exc-instance-connect/keys", 7U);

        (void)state;
        assert_string_equal(remedy.command, "chmod 2750 /run/exc-instance-connect/keys && echo 100% 7");
}

/* What the shell makes of a word is the word again, whatever is in it. */
static void no_word_means_anything_to_the_shell(void **state) {
        static const char *const words[] = {
                "",
                " ",
                "a b",
                "$HOME",
                "`id`",
                "$(id)",
                "a'b",
                "''",
                "a\"",
                "a\\b",
                "a;id",
                "a\nb",
                "*",
                "~",
                "!x",
                "#",
                "&",
                "--help",
                "a=b c",
                "\xc3\xa9t\xc3",
                "run-exc\\x2dinstance\\x2dconnect.mount",
                "{a,b}",
                "'",
                "\t",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                struct remedy remedy = remedy_of("printf '[%%s]' %s", words[i]);
                char output[256], expected[256];
                FILE *shell;
                size_t n;

                /* A word that begins with a dash would be an option of printf's, so it is none there. */
                (void)snprintf(expected, sizeof(expected), "[%s]", words[i]);
                shell = popen(remedy.command, "r");
                assert_non_null(shell);
                n = fread(output, 1, sizeof(output) - 1, shell);
                output[n] = '\0';
                assert_int_equal(pclose(shell), 0);
                assert_string_equal(output, expected);
        }
}

/* Half a command may do anything: "rm -rf /run/x" cut short, say. */
static void a_remedy_that_is_too_long_is_none(void **state) {
        char word[REMEDY_MAX];
        struct remedy remedy;

        (void)state;
        memset(word, 'x', sizeof(word) - 1);
        word[sizeof(word) - 1] = '\0';
        remedy = remedy_of("rm %s", word);
        assert_string_equal(remedy.command, "");
        word[sizeof(word) - 1 - strlen("rm ")] = '\0';
        remedy = remedy_of("rm %s", word);
        assert_int_equal(strlen(remedy.command), REMEDY_MAX - 1);
        /* Quotes count too. */
        word[0] = ' ';
        remedy = remedy_of("rm %s", word);
        assert_string_equal(remedy.command, "");
}

static void two_remedies_are_done_one_after_the_other(void **state) {
        struct remedy first = remedy_of("a"), second = remedy_of("b"), none = {.command = ""}, both;
        char word[REMEDY_MAX / 2 + 8];

        (void)state;
        both = remedy_both(first, second);
        assert_string_equal(both.command, "a && b");
        both = remedy_both(none, second);
        assert_string_equal(both.command, "b");
        both = remedy_both(first, none);
        assert_string_equal(both.command, "a");
        memset(word, 'x', sizeof(word) - 1);
        word[sizeof(word) - 1] = '\0';
        first = remedy_of("%s", word);
        both = remedy_both(first, first);
        assert_string_equal(both.command, "");
}

static void findings_keep_their_order(void **state) {
        struct remedy remedy = remedy_of("fix it");
        json_t *list;

        (void)state;
        pass(&findings, "one", "it is %s", "well");
        warn(&findings, "two", remedy, "it is not");
        (fail)(&findings, "three", NO_REMEDY, "it is %d times worse", 2); /* cmocka has a macro of that name */
        list = findings_json(&findings);
        assert_int_equal(json_array_size(list), 3);
        for (size_t i = 0; i < 3; i++) {
                static const char *const expected[3][3] = {
                        {"one", "pass", "it is well"},
                        {"two", "warning", "it is not"},
                        {"three", "failure", "it is 2 times worse"},
                };
                json_t *one = json_array_get(list, i);

                assert_int_equal(json_object_size(one), 4);
                assert_string_equal(json_string_value(json_object_get(one, "name")), expected[i][0]);
                assert_string_equal(json_string_value(json_object_get(one, "status")), expected[i][1]);
                assert_string_equal(json_string_value(json_object_get(one, "text")), expected[i][2]);
                if (i == 1)
                        assert_string_equal(json_string_value(json_object_get(one, "remedy")), "fix it");
                else
                        assert_true(json_is_null(json_object_get(one, "remedy")));
        }
        json_decref(list);
}

static void a_failure_of_every_key_goes_before_one_of_the_hosts(void **state) {
        (void)state;
        assert_null(findings_first_failure(&findings));
        found(&findings, FINDING_WARNING, "warning", NO_REMEDY, "-");
        assert_null(findings_first_failure(&findings));
        found(&findings, FINDING_LAX_FAILURE, "lax", NO_REMEDY, "-");
        assert_string_equal(findings_first_failure(&findings)->name, "lax");
        assert_string_equal(finding_status_name(findings_first_failure(&findings)->status), "failure");
        found(&findings, FINDING_HOST_FAILURE, "host-1", NO_REMEDY, "-");
        found(&findings, FINDING_HOST_FAILURE, "host-2", NO_REMEDY, "-");
        assert_string_equal(findings_first_failure(&findings)->name, "host-1");
        assert_string_equal(finding_status_name(findings_first_failure(&findings)->status), "failure");
        found(&findings, FINDING_LAX_FAILURE, "lax", NO_REMEDY, "-");
        found(&findings, FINDING_OPEN_FAILURE, "open", NO_REMEDY, "-");
        assert_string_equal(findings_first_failure(&findings)->name, "open");
        assert_string_equal(finding_status_name(findings_first_failure(&findings)->status), "failure");
        found(&findings, FINDING_FAILURE, "all-1", NO_REMEDY, "-");
        found(&findings, FINDING_FAILURE, "all-2", NO_REMEDY, "-");
        assert_string_equal(findings_first_failure(&findings)->name, "all-1");
        assert_int_equal(findings_count(&findings, "host-1"), 1);
        assert_int_equal(findings_count(&findings, "host"), 0);
}

static void more_than_fit_are_left_out(void **state) {
        (void)state;
        for (size_t i = 0; i < FINDINGS_MAX + 3; i++)
                found(&findings, FINDING_PASS, "many", NO_REMEDY, "%zu", i);
        assert_int_equal(findings.n, FINDINGS_MAX);
        assert_string_equal(findings.at[FINDINGS_MAX - 1].text, "255");
}

/* A file name may hold any bytes. JSON takes whole characters only, and a changed command is another one. */
static void what_is_no_utf8_is_still_json_and_no_remedy(void **state) {
        struct remedy remedy = remedy_of("rm %s", "/a\xff");
        json_t *list;

        (void)state;
        found(&findings, FINDING_FAILURE, "name", remedy, "/a\xff is wrong");
        list = findings_json(&findings);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "text")), "/a? is wrong");
        assert_true(json_is_null(json_object_get(json_array_get(list, 0), "remedy")));
        json_decref(list);
}

static void nothing_in_a_finding_steers_the_terminal(void **state) {
        struct remedy remedy = remedy_of("rm %s", "a\x1b[2Jb");
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        (void)state;
        assert_non_null(to);
        found(&findings, FINDING_FAILURE, "name", remedy, "a\x1b[2Jb\nc");
        finding_print(to, &findings.at[0]);
        (void)fclose(to);
        assert_string_equal(text, "failure  name                 a\\x1B[2Jb\\x0Ac\n"
                                  "         remedy: rm 'a\\x1B[2Jb'\n");
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(plain_words_stand_in_a_remedy_as_they_are, setup),
                cmocka_unit_test_setup(no_word_means_anything_to_the_shell, setup),
                cmocka_unit_test_setup(a_remedy_that_is_too_long_is_none, setup),
                cmocka_unit_test_setup(two_remedies_are_done_one_after_the_other, setup),
                cmocka_unit_test_setup(findings_keep_their_order, setup),
                cmocka_unit_test_setup(a_failure_of_every_key_goes_before_one_of_the_hosts, setup),
                cmocka_unit_test_setup(more_than_fit_are_left_out, setup),
                cmocka_unit_test_setup(what_is_no_utf8_is_still_json_and_no_remedy, setup),
                cmocka_unit_test_setup(nothing_in_a_finding_steers_the_terminal, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
