/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 4 };

static size_t until_failure; /* of malloc(); 0: it does not fail */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
        return until_failure > 0 && --until_failure == 0 ? NULL : __real_malloc(size);
}

/* From memory of exactly that size, so that the sanitizer sees a read past its end. */
static json_t *read_bytes(const char *bytes, size_t length, unsigned depth_max) {
        char *copy = malloc(length > 0 ? length : 1);
        json_t *result;

        assert_non_null(copy);
        memcpy(copy, bytes, length);
        result = json_read(copy, length, depth_max);
        free(copy);
        return result;
}

static bool taken(const char *text) {
        json_t *result = read_bytes(text, strlen(text), DEPTH);
        bool ok = result != NULL;

        json_decref(result);
        return ok;
}

static void object_and_array_are_parsed(void **state) {
        static const char text[] = " {\"a\": [1, \"two\", null]}\n";
        json_t *object = read_bytes(text, strlen(text), DEPTH);

        (void)state;
        assert_true(json_is_object(object));
        assert_int_equal(json_array_size(json_object_get(object, "a")), 3);
        assert_string_equal(json_string_value(json_array_get(json_object_get(object, "a"), 1)), "two");
        json_decref(object);
        assert_true(taken("[]"));
        assert_true(taken("{}"));
}

static void other_values_are_refused(void **state) {
        static const char *const texts[] = {"", " ", "1", "\"text\"", "true", "null", "nonsense", "{", "[", "]", "}"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_false(taken(texts[i]));
}

static void trailing_text_is_refused(void **state) {
        (void)state;
        assert_true(taken("{} \r\n\t"));
        assert_false(taken("{}{}"));
        assert_false(taken("{},"));
        assert_false(taken("[] x"));
        assert_null(read_bytes("{}\0", 3, DEPTH));
        assert_null(read_bytes("{}\0{}", 5, DEPTH));
}

/* jansson reads a NUL there as the end of the text. */
static void control_character_after_a_value_is_refused(void **state) {
        static const char *const values[] = {"0",     "-1",   "7",     "1.5", "1e9", "true",
                                             "false", "null", "\"a\"", "[]",  "{}"};

        (void)state;
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                for (int c = 0; c < 0x20; c++) {
                        bool blank = c == '\t' || c == '\n' || c == '\r';
                        char text[32];
                        json_t *read;
                        int n;

                        n = snprintf(text, sizeof(text), "[%s%c]", values[i], c);
                        read = read_bytes(text, (size_t)n, DEPTH);
                        assert_int_equal(read != NULL, blank);
                        json_decref(read);
                        n = snprintf(text, sizeof(text), "{\"a\"%c:%s}", c, values[i]);
                        read = read_bytes(text, (size_t)n, DEPTH);
                        assert_int_equal(read != NULL, blank);
                        json_decref(read);
                }
}

static void only_the_given_bytes_are_read(void **state) {
        json_t *object = read_bytes("{\"a\":1}}", 7, DEPTH);

        (void)state;
        assert_non_null(object);
        json_decref(object);
        assert_null(read_bytes("{\"a\":1}", 6, DEPTH));
}

static void nesting_has_a_limit(void **state) {
        (void)state;
        assert_true(taken("[[[[]]]]"));
        assert_false(taken("[[[[[]]]]]"));
        assert_true(taken("{\"a\":[{\"b\":[]}]}"));
        assert_false(taken("{\"a\":[{\"b\":[{}]}]}"));
}

static void siblings_are_not_nested(void **state) {
        (void)state;
        assert_true(taken("[[],[],[[],[[]]],{},{\"a\":{}},[[[]]],[[[]]]]"));
}

static void brackets_in_strings_do_not_count(void **state) {
        (void)state;
        assert_true(taken("[\"[[[[[[{{{{{{\"]"));
        assert_true(taken("{\"[[[[[[\":1}"));
        assert_true(taken("[\"\\\"[[[[[[\"]"));
        assert_true(taken("[\"\\\\\",[[[]]]]"));
        assert_false(taken("[\"\\\\\",[[[[]]]]]"));
        assert_false(taken("[\"]]]]\",[[[[]]]]]"));
}

static void closing_brackets_give_no_depth(void **state) {
        (void)state;
        assert_false(taken("]]]]]][[[[[]]]]]"));
}

/* The parser recurses: a message full of brackets must not get that far. */
static void message_of_brackets_is_refused(void **state) {
        enum { LENGTH = 1024 * 1024 };
        char *text = malloc(LENGTH);

        (void)state;
        assert_non_null(text);
        memset(text, '[', LENGTH);
        assert_null(json_read(text, LENGTH, DEPTH));
        for (size_t i = 0; i + 5 <= LENGTH; i += 5)
                memcpy(text + i, "{\"a\":", 5);
        assert_null(json_read(text, LENGTH, DEPTH));
        free(text);
}

static void unterminated_string_is_refused(void **state) {
        (void)state;
        assert_false(taken("[\""));
        assert_false(taken("[\"\\"));
        assert_false(taken("[\"\\\"]"));
}

static void duplicate_member_is_refused(void **state) {
        (void)state;
        assert_false(taken("{\"a\":1,\"a\":1}"));
        assert_false(taken("{\"a\":1,\"b\":2,\"a\":null}"));
        assert_false(taken("[{\"x\":{\"a\":1,\"a\":1}}]"));
        assert_false(taken("{\"a\":1,\"\\u0061\":2}"));
        assert_true(taken("{\"a\":{\"a\":1},\"b\":{\"a\":1}}"));
}

static void nul_is_refused_in_any_form(void **state) {
        (void)state;
        assert_false(taken("[\"\\u0000\"]"));
        assert_false(taken("[\"ali\\u0000ce\"]"));
        assert_false(taken("{\"us\\u0000er\":1}"));
        assert_null(read_bytes("[\"a\0b\"]", 7, DEPTH));
        assert_null(read_bytes("[1,\0 2]", 7, DEPTH));
}

static void invalid_utf8_is_refused(void **state) {
        static const char *const texts[] = {
                "[\"\x80\"]",             /* a continuation without a beginning */
                "[\"\xc3\"]",             /* a beginning without a continuation */
                "[\"\xc0\xaf\"]",         /* overlong */
                "[\"\xe0\x80\xaf\"]",     /* overlong */
                "[\"\xed\xa0\x80\"]",     /* a surrogate */
                "[\"\xf4\x90\x80\x80\"]", /* above U+10FFFF */
                "[\"\xff\"]",             /* in no character */
                "[\"\\ud800\"]",          /* half of a pair */
                "[\"\\udc00\"]",          /* the other half */
                "[\"\\ud800\\u0041\"]",   /* half of a pair, then another character */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_false(taken(texts[i]));
        assert_true(taken("[\"gr\xc3\xbc\xc3\x9f \\ud83d\\ude00\"]"));
}

static void too_large_number_is_refused(void **state) {
        (void)state;
        assert_true(taken("[9223372036854775807,-9223372036854775808]"));
        assert_false(taken("[9223372036854775808]"));
        assert_false(taken("[-9223372036854775809]"));
        assert_false(taken("[1e999]"));
        assert_false(taken("[01]"));
        assert_false(taken("[0x10]"));
        assert_false(taken("[NaN]"));
}

static void json_extensions_are_refused(void **state) {
        (void)state;
        assert_false(taken("{'a':1}"));
        assert_false(taken("{a:1}"));
        assert_false(taken("[1,]"));
        assert_false(taken("{\"a\":1,}"));
        assert_false(taken("[/* */]"));
        assert_false(taken("[\"a\nb\"]"));
        assert_false(taken("\xef\xbb\xbf[]"));
}

/* A text that lost a character would have another meaning. */
static void without_memory_nothing_is_read(void **state) {
        static const char text[] = "{\"a name of many characters\": [\"exc:compute:instance/7\", 12345678901234567]}";
        json_t *whole = json_read(text, strlen(text), DEPTH), *object;
        size_t n = 0;
        bool failed;

        (void)state;
        assert_non_null(whole);
        do {
                until_failure = ++n;
                object = json_read(text, strlen(text), DEPTH);
                failed = until_failure == 0;
                until_failure = 0;
                if (failed)
                        assert_null(object);
                else
                        assert_true(json_equal(object, whole));
                json_decref(object);
        } while (failed);
        assert_true(n > 5);
        json_decref(whole);
}

static size_t n_freed;

static void count_and_free(void *at) {
        n_freed++;
        free(at);
}

static void memory_is_freed_as_the_program_wants(void **state) {
        (void)state;
        json_free_with(count_and_free);
        assert_true(taken("[1]"));
        assert_true(n_freed > 0);
        json_free_with(free);
        without_memory_nothing_is_read(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(object_and_array_are_parsed),
                cmocka_unit_test(other_values_are_refused),
                cmocka_unit_test(trailing_text_is_refused),
                cmocka_unit_test(control_character_after_a_value_is_refused),
                cmocka_unit_test(only_the_given_bytes_are_read),
                cmocka_unit_test(nesting_has_a_limit),
                cmocka_unit_test(siblings_are_not_nested),
                cmocka_unit_test(brackets_in_strings_do_not_count),
                cmocka_unit_test(closing_brackets_give_no_depth),
                cmocka_unit_test(message_of_brackets_is_refused),
                cmocka_unit_test(unterminated_string_is_refused),
                cmocka_unit_test(duplicate_member_is_refused),
                cmocka_unit_test(nul_is_refused_in_any_form),
                cmocka_unit_test(invalid_utf8_is_refused),
                cmocka_unit_test(too_large_number_is_refused),
                cmocka_unit_test(json_extensions_are_refused),
                cmocka_unit_test(without_memory_nothing_is_read),
                cmocka_unit_test(memory_is_freed_as_the_program_wants),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
