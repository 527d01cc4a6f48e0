/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 4648 section 10, and one text with the two characters that are not letters or digits. */
static const struct {
        const char *bytes;
        const char *text;
} vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xef\xff", "++//"},
};

/* In memory of exactly its size, so that the address sanitizer sees a read past its end. */
static void assert_refused(const char *text, size_t n) {
        char *exact = malloc(n > 0 ? n : 1);
        uint8_t dst[64];
        size_t length = 4711;

        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_false(base64_decode(exact, n, dst, sizeof(dst), &length));
        assert_int_equal(length, 4711);
        free(exact);
}

static void rfc_4648_vectors(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(vectors); i++) {
                size_t n = strlen(vectors[i].bytes), length = 4711;
                char text[BASE64_LENGTH(6) + 1];
                uint8_t dst[6];

                assert_int_equal(BASE64_LENGTH(n), strlen(vectors[i].text));
                base64_encode((const uint8_t *)vectors[i].bytes, n, text);
                assert_string_equal(text, vectors[i].text);
                assert_true(base64_decode(vectors[i].text, strlen(vectors[i].text), dst, n, &length));
                assert_int_equal(length, n);
                assert_memory_equal(dst, vectors[i].bytes, n);
        }
}

static void every_byte_round_trips_at_every_index(void **state) {
        (void)state;
        for (size_t n = 1; n <= 6; n++)
                for (size_t index = 0; index < n; index++)
                        for (unsigned value = 0; value < 256; value++) {
                                uint8_t src[6] = {0x5a, 0xa5, 0x5a, 0xa5, 0x5a, 0xa5}, dst[6];
                                char text[BASE64_LENGTH(6) + 1];
                                size_t length;

                                src[index] = (uint8_t)value;
                                base64_encode(src, n, text);
                                assert_int_equal(strlen(text), BASE64_LENGTH(n));
                                assert_true(base64_decode(text, strlen(text), dst, sizeof(dst), &length));
                                assert_int_equal(length, n);
                                assert_memory_equal(dst, src, n);
                        }
}

/* All 2^16 pairs of last characters: what decodes must be the encoding of the result. */
static void decoding_is_one_to_one(void **state) {
        unsigned accepted = 0;

        (void)state;
        for (unsigned pair = 0; pair < 0x10000; pair++) {
                char text[] = {'Z', 'm', (char)(pair >> 8), (char)pair}, again[5];
                uint8_t dst[3];
                size_t length;

                if (!base64_decode(text, sizeof(text), dst, sizeof(dst), &length))
                        continue;
                accepted++;
                base64_encode(dst, length, again);
                assert_memory_equal(again, text, sizeof(text));
        }
        /* 64 × 64 without padding, and 16 with one '='. "Zm==" has unused bits that are set. */
        assert_int_equal(accepted, 64 * 64 + 16);
}

static void unused_bits_must_be_zero(void **state) {
        (void)state;
        assert_refused("Zh==", 4);
        assert_refused("Zv==", 4);
        assert_refused("Z/==", 4);
        assert_refused("Zm9=", 4);
        assert_refused("Zm+=", 4);
        assert_refused("Zm9vYh==", 8);
        assert_refused("Zm9vYmF=", 8);
}

static void padding_is_required_at_the_end_only(void **state) {
        (void)state;
        for (size_t n = 1; n <= 16; n++)
                if (n % 4 != 0)
                        assert_refused("Zm9vYmFyZm9vYmFy", n);
        assert_refused("Zg=", 3);
        assert_refused("Zm9v=", 5);
        assert_refused("Zm9v====", 8);
        assert_refused("====", 4);
        assert_refused("Z===", 4);
        assert_refused("Zg==Zm9v", 8);
        assert_refused("Zm8=Zm9v", 8);
        assert_refused("Zg=v", 4);
        assert_refused("=m9v", 4);
}

static void any_other_character_is_refused(void **state) {
        static const char known[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        (void)state;
        for (unsigned c = 0; c < 256; c++)
                for (size_t index = 0; index < 4; index++) {
                        char text[] = "Zm9vAAAA";

                        if (memchr(known, (int)c, sizeof(known) - 1))
                                continue;
                        text[index] = (char)c;
                        assert_refused(text, 8);
                }
}

static void white_space_is_refused(void **state) {
        (void)state;
        assert_refused("Zm9v\n", 5);
        assert_refused("Zm9vYg==\r\n  ", 12);
        assert_refused(" Zm9", 4);
        assert_refused("Zm 9", 4);
        assert_refused("Zm9\t", 4);
}

static void too_small_buffer_is_refused(void **state) {
        (void)state;
        for (size_t i = 1; i < ELEMENTS(vectors); i++) {
                size_t n = strlen(vectors[i].bytes), length = 4711;
                uint8_t *dst = malloc(n);

                assert_non_null(dst);
                assert_false(base64_decode(vectors[i].text, strlen(vectors[i].text), dst, n - 1, &length));
                assert_int_equal(length, 4711);
                assert_true(base64_decode(vectors[i].text, strlen(vectors[i].text), dst, n, &length));
                free(dst);
        }
}

/* RFC 4648 section 5, padded. */
static void either_alphabet_but_not_mixed(void **state) {
        static const struct {
                const char *text, *standard; /* NULL: refused */
        } texts[] = {
                {"Zm9v", "Zm9v"}, {"--__", "++//"}, {"-_8=", "+/8="}, {"++//", "++//"}, {"-+__", NULL}, {"_A/A", NULL},
                {"--_", NULL},    {"-w", NULL},     {"-x==", NULL},   {"--__\n", NULL}, {"*-__", NULL}, {"", ""},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                size_t n = strlen(texts[i].text), length = 4711;
                uint8_t dst[6];
                char again[9];

                assert_int_equal(base64_decode_either(texts[i].text, n, dst, sizeof(dst), &length),
                                 texts[i].standard != NULL);
                if (!texts[i].standard)
                        continue;
                base64_encode(dst, length, again);
                assert_string_equal(again, texts[i].standard);
        }
        assert_refused("--__", 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rfc_4648_vectors),
                cmocka_unit_test(every_byte_round_trips_at_every_index),
                cmocka_unit_test(decoding_is_one_to_one),
                cmocka_unit_test(unused_bits_must_be_zero),
                cmocka_unit_test(padding_is_required_at_the_end_only),
                cmocka_unit_test(any_other_character_is_refused),
                cmocka_unit_test(white_space_is_refused),
                cmocka_unit_test(too_small_buffer_is_refused),
                cmocka_unit_test(either_alphabet_but_not_mixed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
