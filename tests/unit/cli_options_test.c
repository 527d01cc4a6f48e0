/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/refusal.h"

struct values {
        const char *name, *path;
        int number;
        bool flag;
        int many;
};

static bool count(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        (void)text;
        ++*(int *)member;
        return true;
}

static const struct cli_option global[] = {
        {.name = "quiet", .letter = 'q', .take = cli_take_flag, .offset = offsetof(struct values, flag)},
        {.name = NULL},
};
static const struct cli_option options[] = {
        {.name = "the-name",
         .letter = 'n',
         .value = "NAME",
         .take = cli_take_text,
         .offset = offsetof(struct values, name),
         .flags = CLI_NEEDED},
        {.name = "number",
         .value = "N",
         .take = cli_take_number,
         .offset = offsetof(struct values, number),
         .min = 1,
         .max = 9,
         .expected = "1..9"},
        {.name = "path",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct values, path),
         .flags = CLI_BYTES},
        {.name = "many",
         .value = "X",
         .take = count,
         .offset = offsetof(struct values, many),
         .flags = CLI_MANY,
         .help = "füllt mit zweiundfünfzig Zeichen gerade diese Zeile.\nword word word word word word word word word "
                 "wörd words "
                 "word a-word-of-sixty-characters-is-not-cut-but-alone-in-its-line-and-wide word"},
        {.name = NULL},
};
static const struct cli_option other_options[] = {
        {.name = "number",
         .value = "N",
         .take = cli_take_number,
         .offset = offsetof(struct values, number),
         .min = 10,
         .max = 99,
         .expected = "10..99"},
        {.name = NULL},
};

static int run(const struct cli_line *line, const void *context) {
        (void)line;
        (void)context;
        return 42;
}

static const struct cli_command put = {.words = "thing put",
                                       .arguments = "[ARGUMENT]",
                                       .summary = "put",
                                       .most = 1,
                                       .rest = true,
                                       .rest_is = "MORE",
                                       .tables = {options},
                                       .run = run};
static const struct cli_command list = {.words = "thing list",
                                        .arguments = "A",
                                        .summary = "list",
                                        .least = 1,
                                        .most = 1,
                                        .tables = {other_options},
                                        .run = run};
static const struct cli_command bare = {.words = "thing", .summary = "bare", .run = run};
static const struct cli_command *const commands[] = {&put, &list, &bare};
static const struct cli cli = {.program = "test",
                               .about = "Tests.",
                               .manual = "test(1)",
                               .commands = commands,
                               .n_commands = sizeof(commands) / sizeof(commands[0]),
                               .global = global};

static struct cli_line line;
static struct values values;

enum { ARGUMENTS_MAX = 80, TEXT_MAX = 32 };

static char texts[ARGUMENTS_MAX][TEXT_MAX]; /* what the line points to */

static char *keep(int n, const char *text) {
        (void)snprintf(texts[n], TEXT_MAX, "%s", text);
        return texts[n];
}

static int parse(const char *first, ...) {
        char *argv[ARGUMENTS_MAX] = {keep(0, "test")};
        va_list more;
        int n = 1;

        va_start(more, first);
        for (const char *text = first; text; text = va_arg(more, const char *), n++)
                argv[n] = keep(n, text);
        va_end(more);
        values = (struct values){.name = NULL};
        return cli_parse(&cli, n, argv, &line, &values);
}

static void options_stand_anywhere(void **state) {
        (void)state;
        assert_int_equal(parse("-q", "thing", "--number", "3", "put", "--the-name=x", NULL), EXIT_DONE);
        assert_ptr_equal(line.command, &put);
        assert_string_equal(values.name, "x");
        assert_int_equal(values.number, 3);
        assert_true(values.flag);
        assert_true(cli_given(&line, "the-name"));
        assert_false(cli_given(&line, "path"));
        assert_int_equal(line.n_arguments, 0);
        assert_null(line.rest);
        assert_int_equal(parse("thing", "put", "a", "--the-name", "x", NULL), EXIT_DONE);
        assert_int_equal(line.n_arguments, 1);
        assert_string_equal(line.arguments[0], "a");
}

static void underscore_is_hyphen_in_names_alone(void **state) {
        (void)state;
        assert_int_equal(parse("thing", "put", "--the_name", "a_b-c", NULL), EXIT_DONE);
        assert_string_equal(values.name, "a_b-c");
        assert_int_equal(parse("thing", "put", "--the_name=--x", NULL), EXIT_DONE);
        assert_string_equal(values.name, "--x");
        assert_int_equal(parse("thing", "put", "-nx", NULL), EXIT_DONE);
        assert_string_equal(values.name, "x");
        assert_int_equal(parse("thing", "put", "--_the_name", "x", NULL), EXIT_USAGE);
}

static void rest_is_handed_on_untouched(void **state) {
        (void)state;
        assert_int_equal(parse("thing", "put", "-n", "x", "--", "--number", "--", "\xff", NULL), EXIT_DONE);
        assert_string_equal(line.rest[0], "--number");
        assert_string_equal(line.rest[1], "--");
        assert_string_equal(line.rest[2], "\xff");
        assert_null(line.rest[3]);
        assert_int_equal(parse("thing", "put", "-n", "x", "--", NULL), EXIT_DONE);
        assert_null(line.rest[0]);
        assert_int_equal(parse("thing", "list", "a", "--", "b", NULL), EXIT_USAGE);
}

static void words_behind_two_hyphens_are_words_for_other_commands(void **state) {
        (void)state;
        assert_int_equal(parse("thing", "list", "--number", "10", "--", "--number", NULL), EXIT_DONE);
        assert_int_equal(line.n_arguments, 1);
        assert_string_equal(line.arguments[0], "--number");
        assert_null(line.rest);
        assert_int_equal(parse("--", "thing", "list", "a", NULL), EXIT_DONE);
        assert_ptr_equal(line.command, &list);
        assert_int_equal(parse("thing", "list", "a", "--", NULL), EXIT_DONE);
        assert_int_equal(parse("1", "2", "3", "4", "5", "--", "6", "7", "8", "9", NULL), EXIT_USAGE);
}

static void command_with_most_words_is_taken(void **state) {
        (void)state;
        assert_int_equal(parse("thing", NULL), EXIT_DONE);
        assert_ptr_equal(line.command, &bare);
        assert_int_equal(parse("thing", "list", "a", NULL), EXIT_DONE);
        assert_ptr_equal(line.command, &list);
        assert_int_equal(parse("thing", "other", NULL), EXIT_USAGE);
        assert_int_equal(parse("other", NULL), EXIT_USAGE);
        assert_int_equal(parse(NULL, NULL), EXIT_USAGE);
}

static void row_of_the_command_checks_the_value(void **state) {
        (void)state;
        assert_int_equal(parse("--number", "50", "thing", "list", "a", NULL), EXIT_DONE);
        assert_int_equal(values.number, 50);
        assert_int_equal(parse("--number", "50", "thing", "put", "-nx", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "--number", "9", NULL), EXIT_DONE);
        assert_int_equal(parse("thing", "put", "-nx", "--number", "0", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "--number", "", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "list", "a", "--many", "1", NULL), EXIT_USAGE);
}

static void faults_are_usage(void **state) {
        (void)state;
        assert_int_equal(parse("thing", "put", NULL), EXIT_USAGE); /* the-name is needed */
        assert_int_equal(parse("thing", "put", "-n", "x", "-n", "y", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-n", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-n", "--", "x", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-n", "", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "--quiet=1", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "-x", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "--", NULL), EXIT_DONE);
        assert_int_equal(parse("thing", "put", "-nx", "--=x", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "a", "b", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "list", NULL), EXIT_USAGE);
        assert_int_equal(parse("1", "2", "3", "4", "5", "6", "7", "8", "9", NULL), EXIT_USAGE);
}

static void values_are_utf_8_but_names_of_files(void **state) {
        (void)state;
        assert_int_equal(parse("thing", "put", "-n", "\xff", NULL), EXIT_USAGE);
        assert_int_equal(parse("thing", "put", "-nx", "--path", "\xff", NULL), EXIT_DONE);
        assert_string_equal(values.path, "\xff");
        assert_int_equal(parse("thing", "put", "-nx", "\xff", NULL), EXIT_USAGE);
}

static void repeated_options_are_taken_each_time(void **state) {
        (void)state;
        assert_int_equal(parse("thing", "put", "-nx", "--many", "1", "--many=2", "-q", "-q", NULL), EXIT_DONE);
        assert_int_equal(values.many, 2);
}

static void too_many_options_are_refused(void **state) {
        char *argv[2 + CLI_GIVEN_MAX + 2] = {NULL};
        int n = 0;

        (void)state;
        for (; n < CLI_GIVEN_MAX + 2; n++)
                argv[n] = keep(n, n == 0 ? "test" : "-q");
        assert_int_equal(cli_parse(&cli, n, argv, &line, &values), EXIT_USAGE);
}

static void help_and_version_need_nothing_else(void **state) {
        (void)state;
        assert_int_equal(parse("--help", NULL), EXIT_DONE);
        assert_true(line.help);
        assert_null(line.command);
        assert_int_equal(parse("--version", NULL), EXIT_DONE);
        assert_true(line.version);
        assert_int_equal(parse("thing", "put", "-h", NULL), EXIT_DONE);
        assert_true(line.help);
        assert_ptr_equal(line.command, &put);
        assert_int_equal(parse("fly", "--help", NULL), EXIT_USAGE);
}

/* The caller frees it. */
static char *help_of_put(void) {
        const char *const words[] = {"thing", "put"};
        FILE *const out = stdout;
        char *text = NULL;
        size_t size = 0;

        stdout = open_memstream(&text, &size);
        assert_non_null(stdout);
        assert_true(cli_print_help(&cli, words, 2));
        (void)fclose(stdout);
        stdout = out;
        return text;
}

static void help_begins_with_how_the_command_is_used(void **state) {
        static const char usage[] = "test thing put --the-name NAME [OPTION…] [ARGUMENT] [-- MORE]\n";
        char *text = help_of_put();

        (void)state;
        assert_memory_equal(text, usage, strlen(usage));
        free(text);
}

static void help_has_lines_of_80_columns(void **state) {
        static const char wanted[] =
                "  --many X                  füllt mit zweiundfünfzig Zeichen gerade diese Zeile.\n"
                "                            word word word word word word word word word wörd\n"
                "                            words word\n"
                "                            a-word-of-sixty-characters-is-not-cut-but-alone-in-its-line-and-wide\n"
                "                            word\n";
        char *text = help_of_put();

        (void)state;
        assert_non_null(strstr(text, wanted));
        free(text);
}

static void main_runs_the_command(void **state) {
        char *argv[] = {keep(0, "test"), keep(1, "thing"), NULL};

        (void)state;
        assert_int_equal(cli_main(&cli, 2, argv, &values), 42);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_stand_anywhere),
                cmocka_unit_test(underscore_is_hyphen_in_names_alone),
                cmocka_unit_test(rest_is_handed_on_untouched),
                cmocka_unit_test(words_behind_two_hyphens_are_words_for_other_commands),
                cmocka_unit_test(command_with_most_words_is_taken),
                cmocka_unit_test(row_of_the_command_checks_the_value),
                cmocka_unit_test(faults_are_usage),
                cmocka_unit_test(values_are_utf_8_but_names_of_files),
                cmocka_unit_test(repeated_options_are_taken_each_time),
                cmocka_unit_test(too_many_options_are_refused),
                cmocka_unit_test(help_and_version_need_nothing_else),
                cmocka_unit_test(help_begins_with_how_the_command_is_used),
                cmocka_unit_test(help_has_lines_of_80_columns),
                cmocka_unit_test(main_runs_the_command),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
