/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print on a terminal, and elsewhere. */
#include "cli/output.h"

/* Before cmocka, which has a macro fail(). */
#include "admin/doctor/finding.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/pty.h"

#define TEXT "ssh.service asks nobody for the keys of alice, and not our helper"

static char printed[4096];

static int on_a_terminal(void **state) {
        (void)state;
        return setenv("TERM", "xterm", 1) == 0 && unsetenv("NO_COLOR") == 0 ? 0 : -1;
}

/* What arrives at a terminal of that width. 0: in a pipe. */
static const char *shown(unsigned short width, void (*print)(FILE *to)) {
        int ends[2];
        FILE *to;

        if (width == 0)
                assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        else
                pty_open(width, ends);
        to = fdopen(dup(ends[1]), "w");
        assert_non_null(to);
        print(to);
        assert_int_equal(fclose(to), 0);
        pty_read(ends, printed, sizeof(printed));
        return printed;
}

static void print_finding(FILE *to) {
        struct finding finding = {.status = FINDING_FAILURE, .name = "sshd-keys-command", .text = TEXT};

        finding.remedy = remedy_of("systemctl start exc-instance-connect.socket exc-instance-connect-host.socket");
        finding_print(to, &finding);
}

static void text_continues_under_its_column(void **state) {
        (void)state;
        assert_string_equal(
                shown(80, print_finding),
                "\033[31mfailure\033[0m  sshd-keys-command    ssh.service asks nobody for the keys of alice, and\n"
                "                              not our helper\n"
                "         remedy: systemctl start exc-instance-connect.socket exc-instance-connect-host.socket\n");
}

static void narrow_terminal_has_a_narrower_indent(void **state) {
        (void)state;
        assert_string_equal(
                shown(40, print_finding),
                "\033[31mfailure\033[0m  sshd-keys-command\n"
                "         ssh.service asks nobody for the\n"
                "         keys of alice, and not our\n"
                "         helper\n"
                "         remedy: systemctl start exc-instance-connect.socket exc-instance-connect-host.socket\n");
}

static void what_is_no_terminal_gets_neither_colour_nor_lines(void **state) {
        static const char expected[] =
                "failure  sshd-keys-command    " TEXT "\n"
                "         remedy: systemctl start exc-instance-connect.socket exc-instance-connect-host.socket\n";

        (void)state;
        assert_string_equal(shown(0, print_finding), expected);
        assert_int_equal(setenv("TERM", "dumb", 1), 0);
        assert_string_equal(shown(40, print_finding), expected);
        assert_int_equal(unsetenv("TERM"), 0);
        assert_string_equal(shown(40, print_finding), expected);
}

static void no_color_is_respected(void **state) {
        (void)state;
        assert_int_equal(setenv("NO_COLOR", "", 1), 0);
        assert_non_null(strstr(shown(80, print_finding), "\033[31m"));
        assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
        assert_string_equal(
                shown(80, print_finding),
                "failure  sshd-keys-command    ssh.service asks nobody for the keys of alice, and\n"
                "                              not our helper\n"
                "         remedy: systemctl start exc-instance-connect.socket exc-instance-connect-host.socket\n");
}

/* Two characters of two bytes each, and a control sequence that is seven columns wide when it is escaped. */
static void print_untrusted(FILE *to) {
        print_wrapped(to, 0, 0, 0, "\xc3\xa9\xc3\xa9 \x1b[2J abcdef  gh");
}

static void columns_are_those_of_escaped_text(void **state) {
        (void)state;
        assert_string_equal(shown(10, print_untrusted), "\xc3\xa9\xc3\xa9 \\x1B[2J\nabcdef  gh");
        assert_string_equal(shown(9, print_untrusted), "\xc3\xa9\xc3\xa9\n\\x1B[2J\nabcdef\ngh");
        assert_string_equal(shown(1, print_untrusted), "\xc3\xa9\xc3\xa9\n\\x1B[2J\nabcdef\ngh");
}

static void print_disabled(FILE *to) {
        print_state(to, OUTPUT_BAD, "sshd", "%s", "disabled");
        print_styled(to, OUTPUT_GOOD, "on", 4);
        print_styled(to, OUTPUT_PLAIN, "off", 0);
}

static void values_and_words_have_the_colour_they_are_given(void **state) {
        (void)state;
        assert_string_equal(shown(80, print_disabled),
                            "sshd:\033[31m          disabled\033[0m\n\033[32mon\033[0m  off");
        assert_string_equal(shown(0, print_disabled), "sshd:          disabled\non  off");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(text_continues_under_its_column, on_a_terminal),
                cmocka_unit_test_setup(narrow_terminal_has_a_narrower_indent, on_a_terminal),
                cmocka_unit_test_setup(what_is_no_terminal_gets_neither_colour_nor_lines, on_a_terminal),
                cmocka_unit_test_setup(no_color_is_respected, on_a_terminal),
                cmocka_unit_test_setup(columns_are_those_of_escaped_text, on_a_terminal),
                cmocka_unit_test_setup(values_and_words_have_the_colour_they_are_given, on_a_terminal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
