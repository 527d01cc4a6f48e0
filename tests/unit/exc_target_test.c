/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct target target;

static int from(const char *argument, const char *vm, const char *user) {
        static const struct cli_command command = {.words = "compute connect"};
        const struct options options = {.vm = vm, .user = user};
        const struct cli_line line = {
                .cli = &exc_cli, .command = &command, .arguments = {argument}, .n_arguments = argument ? 1 : 0};

        target = (struct target){.looked_up = true};
        return target_from_options(&line, &options, &target);
}

static void is(const char *given, const char *vm, const char *user) {
        assert_string_equal(target.given, given);
        assert_string_equal(target.vm, vm);
        assert_string_equal(target.user, user);
        assert_false(target.looked_up);
}

static void argument_and_options_mean_the_same(void **state) {
        (void)state;
        assert_int_equal(from("42", NULL, NULL), EXIT_DONE);
        is("42", "42", "");
        assert_int_equal(from("alice@42", NULL, NULL), EXIT_DONE);
        is("42", "42", "alice");
        assert_int_equal(from("42", NULL, "alice"), EXIT_DONE);
        is("42", "42", "alice");
        assert_int_equal(from(NULL, "42", "alice"), EXIT_DONE);
        is("42", "42", "alice");
        assert_int_equal(from("alice@42", "42", "alice"), EXIT_DONE);
        is("42", "42", "alice");
        assert_int_equal(from("alice@42", "43", NULL), EXIT_USAGE);
        assert_int_equal(from("alice@42", NULL, "bob"), EXIT_USAGE);
        assert_int_equal(from(NULL, NULL, "bob"), EXIT_USAGE);
}

static void user_ends_at_the_last_at(void **state) {
        (void)state;
        assert_int_equal(from("dana@corp.example@web", NULL, NULL), EXIT_DONE);
        is("web", "web", "dana@corp.example");
        assert_int_equal(from(NULL, "odd@name", NULL), EXIT_DONE); /* not taken apart */
        is("odd@name", "", "");
}

static void what_ssh_takes_for_an_option_is_refused(void **state) {
        static const char *const refused[] = {"@42", "-oProxyCommand=x@42", "a\nb@42", "alice@", "", "a\x7f", "4\n2",
                                              "\xff"};
        char longer[600];

        (void)state;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                if (from(refused[i], NULL, NULL) != EXIT_USAGE)
                        fail_msg("%s is taken", refused[i]);
        memset(longer, 'a', sizeof(longer));
        longer[257] = '\0';
        assert_int_equal(from(longer, NULL, NULL), EXIT_USAGE);
        longer[256] = '\0';
        assert_int_equal(from(longer, NULL, NULL), EXIT_DONE);
        assert_string_equal(target.vm, "");
        longer[257] = '@';
        longer[258] = 'a';
        longer[259] = '\0';
        longer[256] = 'a';
        assert_int_equal(from(longer, NULL, NULL), EXIT_USAGE);
}

static void what_can_be_no_id_is_a_name(void **state) {
        static const char *const names[] = {"Web", "web 1", "b\u00fcro", "connect", "-x", "a/b"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(from(names[i], NULL, NULL), EXIT_DONE);
                is(names[i], "", "");
        }
}

static void path_segments_are_encoded(void **state) {
        char *path = api_path("compute", "instance", "a/b?c#d%e f\xc3\xbc", NULL);

        (void)state;
        assert_string_equal(path, "/compute/instance/a%2Fb%3Fc%23d%25e%20f%C3%BC");
        path = api_path_query(api_path_query(path, "name", "a&b=c"), "cursor", "x+y");
        assert_string_equal(path, "/compute/instance/a%2Fb%3Fc%23d%25e%20f%C3%BC?name=a%26b%3Dc&cursor=x%2By");
        free(path);
        assert_null(api_path("a", "..", NULL));
        assert_null(api_path("a", ".", "b", NULL));
        assert_null(api_path("a", "", NULL));
        assert_null(api_path_query(NULL, "a", "b"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(argument_and_options_mean_the_same),
                cmocka_unit_test(user_ends_at_the_last_at),
                cmocka_unit_test(what_ssh_takes_for_an_option_is_refused),
                cmocka_unit_test(what_can_be_no_id_is_a_name),
                cmocka_unit_test(path_segments_are_encoded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
