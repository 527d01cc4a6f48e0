/* SPDX-License-Identifier: Apache-2.0 */
#include "common/service_options.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
        const char *file;
        int number;
        bool flag;
        char out[512], error[512];
} got;

static bool take_digit(const char *text, void *member) {
        if (*text < '0' || *text > '9' || text[1])
                return false;
        *(int *)member = *text - '0';
        return true;
}

static const struct service_option table[] = {
        {"file", .take = service_take_text, .member = &got.file},
        {"number", .take = take_digit, .member = &got.number, .expected = "one digit"},
        {"flag", .flag = &got.flag},
        {.name = NULL},
};

/* `fd` goes to an empty file. Returns what it was. */
static int capture(int fd, int *ret_file) {
        char path[] = "/tmp/service-options-XXXXXX";
        int old = dup(fd);

        *ret_file = mkstemp(path);
        assert_true(old >= 0 && *ret_file >= 0);
        assert_int_equal(unlink(path), 0);
        assert_true(dup2(*ret_file, fd) == fd);
        return old;
}

static void restore(int fd, int old, int file, char *ret, size_t size) {
        ssize_t n;

        (void)fflush(NULL);
        assert_true(dup2(old, fd) == fd);
        assert_int_equal(close(old), 0);
        n = pread(file, ret, size - 1, 0);
        assert_true(n >= 0);
        ret[n] = '\0';
        assert_int_equal(close(file), 0);
}

static int parse(const char *a, const char *b, const char *c) {
        char *argv[] = {(char *)(uintptr_t)"program", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c,
                        NULL};
        int argc = 1, file[2], old[2], r;

        while (argv[argc])
                argc++;
        memset(&got, 0, sizeof(got));
        (void)fflush(NULL);
        old[0] = capture(STDOUT_FILENO, &file[0]);
        old[1] = capture(STDERR_FILENO, &file[1]);
        optind = 0; /* getopt_long(3) starts again */
        r = service_options_parse("program", "Usage: program\n", table, argc, argv);
        restore(STDERR_FILENO, old[1], file[1], got.error, sizeof(got.error));
        restore(STDOUT_FILENO, old[0], file[0], got.out, sizeof(got.out));
        return r;
}

static void options_are_written_to_their_members(void **state) {
        (void)state;
        assert_int_equal(parse("--file=a", "--number=7", "--flag"), -1);
        assert_string_equal(got.file, "a");
        assert_int_equal(got.number, 7);
        assert_true(got.flag);
        assert_string_equal(got.out, "");
        assert_string_equal(got.error, "");
}

static void value_may_be_the_next_word(void **state) {
        (void)state;
        assert_int_equal(parse("--file", "--flag", NULL), -1);
        assert_string_equal(got.file, "--flag");
        assert_false(got.flag);
}

static void no_option_is_needed(void **state) {
        (void)state;
        assert_int_equal(parse(NULL, NULL, NULL), -1);
        assert_null(got.file);
        assert_false(got.flag);
}

static void invalid_value_is_named(void **state) {
        (void)state;
        assert_int_equal(parse("--number", "ten", NULL), SERVICE_INVALID_ARGUMENT);
        assert_string_equal(got.error, "program: --number: invalid value 'ten': expected one digit\n");
        assert_int_equal(got.number, 0);
}

static void argument_is_refused(void **state) {
        (void)state;
        assert_int_equal(parse("--flag", "word", NULL), SERVICE_INVALID_ARGUMENT);
        assert_string_equal(got.error, "program: word: unexpected argument; see --help\n");
}

static void unknown_option_is_refused(void **state) {
        (void)state;
        assert_int_equal(parse("--other", NULL, NULL), SERVICE_INVALID_ARGUMENT);
        assert_non_null(strstr(got.error, "program: see --help\n"));
}

static void missing_value_is_refused(void **state) {
        (void)state;
        assert_int_equal(parse("--file", NULL, NULL), SERVICE_INVALID_ARGUMENT);
        assert_non_null(strstr(got.error, "program: see --help\n"));
        assert_null(got.file);
}

static void value_of_a_flag_is_refused(void **state) {
        (void)state;
        assert_int_equal(parse("--flag=yes", NULL, NULL), SERVICE_INVALID_ARGUMENT);
        assert_false(got.flag);
}

static void help_is_the_usage(void **state) {
        (void)state;
        assert_int_equal(parse("--help", NULL, NULL), 0);
        assert_string_equal(got.out, "Usage: program\n");
        assert_string_equal(got.error, "");
}

static void version_is_that_of_the_package(void **state) {
        (void)state;
        assert_int_equal(parse("--version", NULL, NULL), 0);
        assert_string_equal(got.out, "program " PACKAGE_VERSION "\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_are_written_to_their_members),
                cmocka_unit_test(value_may_be_the_next_word),
                cmocka_unit_test(no_option_is_needed),
                cmocka_unit_test(invalid_value_is_named),
                cmocka_unit_test(argument_is_refused),
                cmocka_unit_test(unknown_option_is_refused),
                cmocka_unit_test(missing_value_is_refused),
                cmocka_unit_test(value_of_a_flag_is_refused),
                cmocka_unit_test(help_is_the_usage),
                cmocka_unit_test(version_is_that_of_the_package),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
