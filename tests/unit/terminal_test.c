/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_bytes_printed(const char *text, size_t n, const char *expected) {
        char *printed = NULL, *exact = malloc(n > 0 ? n : 1);
        size_t size = 0;
        FILE *to = open_memstream(&printed, &size);

        /* Of exactly its size, so that the address sanitizer sees a read past its end. */
        assert_non_null(exact);
        assert_non_null(to);
        memcpy(exact, text, n);
        terminal_print_bytes(to, exact, n);
        (void)fclose(to);
        assert_string_equal(printed, expected);
        assert_int_equal(size, strlen(expected));
        free(printed);
        free(exact);
}

static void assert_printed(const char *text, const char *expected) {
        assert_bytes_printed(text, strlen(text), expected);
}

static void plain_text_is_unchanged(void **state) {
        (void)state;
        assert_printed("", "");
        assert_printed("DOMAIN\\alice <a@example.org> ~", "DOMAIN\\alice <a@example.org> ~");
        assert_printed("Zoë 管理者 \U0001f511", "Zoë 管理者 \U0001f511");
}

static void control_characters_are_escaped(void **state) {
        (void)state;
        assert_printed("\x1b[2J", "\\x1B[2J");
        assert_printed("a\nb\tc\rd", "a\\x0Ab\\x09c\\x0Dd");
        assert_printed("\x7f", "\\x7F");
        assert_bytes_printed("a\0b", 3, "a\\x00b");
}

static void c1_controls_are_escaped(void **state) {
        (void)state;
        assert_printed("\xc2\x9b[31m", "\\u{009B}[31m");
        assert_printed("\xc2\x80\xc2\x9f", "\\u{0080}\\u{009F}");
        assert_printed("\u00a1", "\u00a1");
}

static void bidirectional_controls_are_escaped(void **state) {
        (void)state;
        assert_printed("\u202ealice", "\\u{202E}alice");
        assert_printed("\u2066\u2069\u200e\u200f\u061c", "\\u{2066}\\u{2069}\\u{200E}\\u{200F}\\u{061C}");
}

static void invisible_characters_are_escaped(void **state) {
        (void)state;
        assert_printed("ro\u200bot", "ro\\u{200B}ot");
        assert_printed("\ufeff\u2028\u00ad", "\\u{FEFF}\\u{2028}\\u{00AD}");
        assert_printed("\U000e0041", "\\u{E0041}");
        assert_printed("ro\u034fot\u3164\ufe0f\u2800", "ro\\u{034F}ot\\u{3164}\\u{FE0F}\\u{2800}");
        assert_printed("root\u00a0\u3000\u2003", "root\\u{00A0}\\u{3000}\\u{2003}");
}

/* The neighbours of ranges are letters and signs. */
static void visible_characters_are_not_escaped(void **state) {
        static const char text[] =
                "\u00a1\u00ac\u00ae\u1161\u17b6\u2010\u2030\u2801\u3001\u3165\u4e2d\ufe10\uffa1\ufffd\U0001f600";

        (void)state;
        assert_printed(text, text);
}

static void invalid_utf8_is_escaped(void **state) {
        (void)state;
        assert_printed("\xff", "\\xFF");
        assert_printed("\x9b", "\\x9B");
        assert_printed("a\x80z", "a\\x80z");
        assert_printed("\xc3", "\\xC3");
        assert_printed("\xe2\x82", "\\xE2\\x82");
        assert_printed("\xf0\x9f\x94z", "\\xF0\\x9F\\x94z");
}

static void overlong_forms_and_surrogates_are_escaped(void **state) {
        (void)state;
        assert_printed("\xc0\x9b", "\\xC0\\x9B");
        assert_printed("\xe0\x80\x9b", "\\xE0\\x80\\x9B");
        assert_printed("\xf0\x80\x80\x9b", "\\xF0\\x80\\x80\\x9B");
        assert_printed("\xed\xa0\x80", "\\xED\\xA0\\x80");
        assert_printed("\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80");
        assert_printed("\xf8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80");
}

static void width_counts_escapes(void **state) {
        (void)state;
        assert_int_equal(terminal_width(""), 0);
        assert_int_equal(terminal_width("alice"), 5);
        assert_int_equal(terminal_width("Zoë"), 3);
        assert_int_equal(terminal_width("\x1b"), 4);
        assert_int_equal(terminal_width("\u202ex"), 9);
}

static void plain_means_no_escape(void **state) {
        static const char *const others[] = {"\n", "a\x1b", "\x7f", "\xc2\x9b", "\u202e", "\xff", "a\xc3"};
        size_t characters = 99;

        (void)state;
        assert_true(terminal_plain("", &characters));
        assert_int_equal(characters, 0);
        assert_true(terminal_plain("DOMAIN\\Zoë", &characters));
        assert_int_equal(characters, 10);
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (terminal_plain(others[i], &characters))
                        fail_msg("taken for plain: %zu", i);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_text_is_unchanged),
                cmocka_unit_test(control_characters_are_escaped),
                cmocka_unit_test(c1_controls_are_escaped),
                cmocka_unit_test(bidirectional_controls_are_escaped),
                cmocka_unit_test(invisible_characters_are_escaped),
                cmocka_unit_test(visible_characters_are_not_escaped),
                cmocka_unit_test(invalid_utf8_is_escaped),
                cmocka_unit_test(overlong_forms_and_surrogates_are_escaped),
                cmocka_unit_test(plain_means_no_escape),
                cmocka_unit_test(width_counts_escapes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
