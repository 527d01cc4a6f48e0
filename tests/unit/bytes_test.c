/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t eight[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static struct bytes of(const void *at, size_t n) {
        return (struct bytes){at, n};
}

static void integers_are_big_endian(void **state) {
        struct bytes from = of(eight, sizeof(eight));
        uint8_t u8;
        uint32_t u32;
        uint64_t u64;

        (void)state;
        assert_true(bytes_u64(&from, &u64));
        assert_true(u64 == UINT64_C(0x0123456789abcdef));
        assert_int_equal(from.left, 0);

        from = of(eight, sizeof(eight));
        assert_true(bytes_u8(&from, &u8));
        assert_int_equal(u8, 0x01);
        assert_true(bytes_u32(&from, &u32));
        assert_true(u32 == 0x23456789);
        assert_ptr_equal(from.at, eight + 5);
        assert_int_equal(from.left, 3);
}

static void highest_bit_is_kept(void **state) {
        static const uint8_t ones[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        struct bytes from = of(ones, sizeof(ones));
        uint32_t u32;
        uint64_t u64;

        (void)state;
        assert_true(bytes_u64(&from, &u64));
        assert_true(u64 == UINT64_MAX);
        from = of(ones, sizeof(ones));
        assert_true(bytes_u32(&from, &u32));
        assert_true(u32 == UINT32_MAX);
}

static void failed_read_changes_nothing(void **state) {
        (void)state;
        for (size_t left = 0; left < 8; left++) {
                struct bytes from = of(eight, left), part = of(eight + 7, 1);
                uint8_t raw[8] = {0xa5};
                uint64_t u64 = 42;
                uint32_t u32 = 42;

                assert_false(bytes_u64(&from, &u64));
                assert_true(u64 == 42);
                assert_false(bytes_take(&from, raw, left + 1));
                assert_int_equal(raw[0], 0xa5);
                assert_false(bytes_slice(&from, left + 1, &part));
                assert_false(bytes_slice(&from, SIZE_MAX, &part));
                assert_ptr_equal(part.at, eight + 7);
                assert_int_equal(part.left, 1);
                if (left < 4) {
                        assert_false(bytes_u32(&from, &u32));
                        assert_int_equal(u32, 42);
                        assert_false(bytes_string(&from, &part));
                        assert_int_equal(part.left, 1);
                }
                if (left == 0) {
                        assert_false(bytes_u8(&from, raw));
                        assert_int_equal(raw[0], 0xa5);
                }
                assert_ptr_equal(from.at, eight);
                assert_int_equal(from.left, left);
        }
}

static void bytes_are_copied_in_order(void **state) {
        struct bytes from = of(eight, sizeof(eight));
        uint8_t raw[3];

        (void)state;
        assert_true(bytes_take(&from, raw, sizeof(raw)));
        assert_memory_equal(raw, eight, sizeof(raw));
        assert_ptr_equal(from.at, eight + 3);
        assert_int_equal(from.left, 5);
}

static void empty_cursor_yields_nothing(void **state) {
        struct bytes from = {NULL, 0}, part = of(eight, 8);

        (void)state;
        assert_true(bytes_take(&from, NULL, 0));
        assert_true(bytes_slice(&from, 0, &part));
        assert_int_equal(part.left, 0);
        assert_null(from.at);
}

static void string_has_its_stated_length(void **state) {
        static const uint8_t two[] = {0, 0, 0, 2, 'h', 'i', 0, 0, 0, 0, 'x'};
        struct bytes from = of(two, sizeof(two)), part;

        (void)state;
        assert_true(bytes_string(&from, &part));
        assert_true(bytes_equal(part, "hi", 2));
        assert_true(bytes_string(&from, &part));
        assert_int_equal(part.left, 0);
        assert_int_equal(from.left, 1);
}

static void string_longer_than_the_rest_is_refused(void **state) {
        static const uint8_t lengths[][6] = {
                {0, 0, 0, 3, 'h', 'i'},
                {0xff, 0xff, 0xff, 0xff, 'h', 'i'},
                {0x80, 0, 0, 2, 'h', 'i'},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                struct bytes from = of(lengths[i], sizeof(lengths[i])), part = of(eight, 8);

                assert_false(bytes_string(&from, &part));
                assert_ptr_equal(from.at, lengths[i]);
                assert_int_equal(from.left, sizeof(lengths[i]));
                assert_ptr_equal(part.at, eight);
        }
}

static void equality_is_of_length_and_content(void **state) {
        (void)state;
        assert_true(bytes_equal(of("abc", 3), "abc", 3));
        assert_false(bytes_equal(of("abc", 3), "abcd", 4));
        assert_false(bytes_equal(of("abc", 3), "ab", 2));
        assert_false(bytes_equal(of("abc", 3), "abd", 3));
        assert_true(bytes_equal(of(NULL, 0), NULL, 0));
}

static void text_that_fits_ends_with_a_nul(void **state) {
        char text[4] = {'x', 'x', 'x', 'x'};

        (void)state;
        assert_true(bytes_to_text(of("abc", 3), text, sizeof(text)));
        assert_string_equal(text, "abc");
        assert_true(bytes_to_text(of(NULL, 0), text, 1));
        assert_string_equal(text, "");
}

static void long_text_or_a_nul_is_refused(void **state) {
        char text[4] = "old";

        (void)state;
        assert_false(bytes_to_text(of("abcd", 4), text, sizeof(text)));
        assert_false(bytes_to_text(of("a\0b", 3), text, sizeof(text)));
        assert_false(bytes_to_text(of("ab\0", 3), text, sizeof(text)));
        assert_false(bytes_to_text(of("", 0), text, 0));
        assert_string_equal(text, "old");
}

static void written_values_are_read_back(void **state) {
        uint8_t raw[64], u8;
        struct writer to = {.data = raw, .size = sizeof(raw)};
        struct bytes from, part;
        uint32_t u32;
        uint64_t u64;

        (void)state;
        writer_u8(&to, 0xfe);
        writer_u32(&to, 0xfedcba98);
        writer_u64(&to, UINT64_C(0xfedcba9876543210));
        writer_string(&to, "a\0b", 3);
        writer_text(&to, "text");
        writer_string(&to, NULL, 0);
        writer_put(&to, "end", 3);
        assert_false(to.full);

        from = of(raw, to.used);
        assert_true(bytes_u8(&from, &u8));
        assert_int_equal(u8, 0xfe);
        assert_true(bytes_u32(&from, &u32));
        assert_true(u32 == 0xfedcba98);
        assert_true(bytes_u64(&from, &u64));
        assert_true(u64 == UINT64_C(0xfedcba9876543210));
        assert_true(bytes_string(&from, &part));
        assert_true(bytes_equal(part, "a\0b", 3));
        assert_true(bytes_string(&from, &part));
        assert_true(bytes_equal(part, "text", 4));
        assert_true(bytes_string(&from, &part));
        assert_int_equal(part.left, 0);
        assert_true(bytes_equal(from, "end", 3));
}

static void written_integers_are_big_endian(void **state) {
        uint8_t raw[8];
        struct writer to = {.data = raw, .size = sizeof(raw)};

        (void)state;
        writer_u64(&to, UINT64_C(0x0123456789abcdef));
        assert_memory_equal(raw, eight, sizeof(eight));
        to.used = 0;
        writer_u32(&to, 0x01234567);
        assert_memory_equal(raw, eight, 4);
}

static void writer_fills_its_memory(void **state) {
        uint8_t raw[8] = {0};
        struct writer to = {.data = raw, .size = sizeof(raw)};

        (void)state;
        writer_text(&to, "four");
        assert_false(to.full);
        assert_int_equal(to.used, sizeof(raw));
        writer_put(&to, NULL, 0);
        assert_false(to.full);
        writer_u8(&to, 1);
        assert_true(to.full);
        assert_int_equal(to.used, sizeof(raw));
}

static void full_writer_writes_no_more(void **state) {
        uint8_t *raw = malloc(4);
        struct writer to = {.data = raw, .size = 4};

        (void)state;
        assert_non_null(raw);
        memset(raw, 0xa5, 4);
        writer_put(&to, "12345", 5);
        assert_true(to.full);
        writer_u8(&to, 1);
        writer_u32(&to, 1);
        writer_text(&to, "");
        assert_true(to.full);
        assert_int_equal(to.used, 0);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(raw[i], 0xa5);
        free(raw);
}

static void string_over_32_bits_is_not_written(void **state) {
        uint8_t raw[16] = {0};
        struct writer to = {.data = raw, .size = SIZE_MAX};

        (void)state;
        writer_string(&to, raw, (size_t)UINT32_MAX + 1);
        assert_true(to.full);
        assert_int_equal(to.used, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(integers_are_big_endian),
                cmocka_unit_test(highest_bit_is_kept),
                cmocka_unit_test(failed_read_changes_nothing),
                cmocka_unit_test(bytes_are_copied_in_order),
                cmocka_unit_test(empty_cursor_yields_nothing),
                cmocka_unit_test(string_has_its_stated_length),
                cmocka_unit_test(string_longer_than_the_rest_is_refused),
                cmocka_unit_test(equality_is_of_length_and_content),
                cmocka_unit_test(text_that_fits_ends_with_a_nul),
                cmocka_unit_test(long_text_or_a_nul_is_refused),
                cmocka_unit_test(written_values_are_read_back),
                cmocka_unit_test(written_integers_are_big_endian),
                cmocka_unit_test(writer_fills_its_memory),
                cmocka_unit_test(full_writer_writes_no_more),
                cmocka_unit_test(string_over_32_bits_is_not_written),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
