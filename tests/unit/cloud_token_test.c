/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/token/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
/* printf %s SECRET | sha256sum */
static const uint8_t secret_hash[CLOUD_HASH_SIZE] = {
        0x0f, 0x00, 0x73, 0x85, 0xb6, 0xf9, 0xd4, 0xb7, 0xee, 0xb2, 0x74, 0x86, 0x05, 0xaf, 0xe1, 0xa9,
        0x84, 0xa0, 0xa3, 0xbf, 0xa3, 0xf0, 0x14, 0xd0, 0x9e, 0x2a, 0x78, 0x4c, 0xe9, 0xe5, 0xcd, 0x1a,
};

static bool no_random_bytes;
static int random_calls;

ssize_t __real_getrandom(void *buffer, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t n, unsigned flags) {
        random_calls++;
        if (no_random_bytes) {
                errno = ENOSYS;
                return -1;
        }
        return __real_getrandom(buffer, n, flags);
}

static void made_token_is_parsed(void **state) {
        struct cloud_token made, parsed;
        char text[CLOUD_TOKEN_MAX], other[CLOUD_TOKEN_MAX];

        (void)state;
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(cloud_token_make(text, &made), 0);
                assert_int_equal(strlen(text), CLOUD_TOKEN_LENGTH);
                assert_memory_equal(text, "exc_", 4);
                assert_memory_equal(text + 4, made.id, 8);
                assert_true(cloud_token_parse(text, strlen(text), &parsed));
                assert_string_equal(parsed.id, made.id);
                assert_true(cloud_hash_equal(parsed.secret_hash, made.secret_hash));
        }
        assert_int_equal(cloud_token_make(other, &parsed), 0);
        assert_string_not_equal(text, other);
        assert_string_not_equal(made.id, parsed.id);
        assert_false(cloud_hash_equal(parsed.secret_hash, made.secret_hash));
}

static void hash_is_of_the_secret_alone(void **state) {
        struct cloud_token token;

        (void)state;
        assert_true(cloud_token_parse("exc_abcdefgh_" SECRET, CLOUD_TOKEN_LENGTH, &token));
        assert_string_equal(token.id, "abcdefgh");
        assert_memory_equal(token.secret_hash, secret_hash, sizeof(secret_hash));
        assert_true(cloud_token_parse("exc_00000000_" SECRET, CLOUD_TOKEN_LENGTH, &token));
        assert_memory_equal(token.secret_hash, secret_hash, sizeof(secret_hash));
}

static void other_texts_are_no_token(void **state) {
        static const char *const texts[] = {
                "",
                "exc_",
                "exc_abcdefgh_",
                "exc_abcdefgh_" SECRET "A",
                "exc_abcdefgh_" SECRET "=",
                " exc_abcdefgh_" SECRET,
                "exc_abcdefgh_" SECRET "\n",
                "EXC_abcdefgh_" SECRET,
                "exc-abcdefgh_" SECRET,
                "exc_abcdefgh-" SECRET,
                "exc_Abcdefgh_" SECRET,
                "exc_abcdefg__" SECRET,
                "exc_abcdefg'_" SECRET,
                "exc_abcdefgh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "exc_abcdefgh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
                "exc_abcdefgh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/",
                "exc_abcdefgh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA A",
                "exc_abcdefgh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", /* bits that mean nothing */
                "exc_abcdefgh_\xc3\xa4"
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        };
        static const char with_nul[] = "exc_abcdefgh_AAAAAAAAAAAAAAAAAAAA\0AAAAAAAAAAAAAAAAAAAAAA";
        struct cloud_token token = {.id = "before"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++)
                assert_false(cloud_token_parse(texts[i], strlen(texts[i]), &token));
        assert_int_equal(sizeof(with_nul) - 1, CLOUD_TOKEN_LENGTH);
        assert_false(cloud_token_parse(with_nul, CLOUD_TOKEN_LENGTH, &token));
        assert_string_equal(token.id, "before");
}

static void ids_have_every_character(void **state) {
        char text[CLOUD_TOKEN_MAX], seen[256] = {0};
        struct cloud_token token;
        int n = 0;

        (void)state;
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(cloud_token_make(text, &token), 0);
                for (const char *at = token.id; *at; at++)
                        seen[(unsigned char)*at] = 1;
        }
        for (size_t i = 0; i < sizeof(seen); i++)
                n += seen[i];
        assert_int_equal(n, 36);
}

static void session_id_is_parsed(void **state) {
        uint8_t made[CLOUD_HASH_SIZE], parsed[CLOUD_HASH_SIZE];
        char text[CLOUD_SESSION_MAX];

        (void)state;
        assert_int_equal(cloud_session_make(text, made), 0);
        assert_int_equal(strlen(text), CLOUD_SESSION_LENGTH);
        assert_memory_equal(text, "cs_", 3);
        assert_true(cloud_session_parse(text, strlen(text), parsed));
        assert_true(cloud_hash_equal(made, parsed));
        assert_true(cloud_session_parse("cs_" SECRET, CLOUD_SESSION_LENGTH, parsed));
        assert_false(cloud_hash_equal(made, parsed));
        assert_false(cloud_session_parse("cs_" SECRET, CLOUD_SESSION_LENGTH - 1, parsed));
        assert_false(cloud_session_parse("cs_" SECRET "A", CLOUD_SESSION_LENGTH + 1, parsed));
        assert_false(cloud_session_parse("cx_" SECRET, CLOUD_SESSION_LENGTH, parsed));
        assert_false(cloud_session_parse("", 0, parsed));
}

static void hashes_are_compared_to_the_last_bit(void **state) {
        uint8_t a[CLOUD_HASH_SIZE] = {0}, b[CLOUD_HASH_SIZE] = {0};

        (void)state;
        assert_true(cloud_hash_equal(a, b));
        for (size_t i = 0; i < sizeof(a); i++) {
                b[i] = 1;
                assert_false(cloud_hash_equal(a, b));
                b[i] = 0;
        }
}

static void without_random_bytes_nothing_is_made(void **state) {
        char text[CLOUD_TOKEN_MAX] = "before";
        uint8_t hash[CLOUD_HASH_SIZE];
        struct cloud_token token;

        (void)state;
        no_random_bytes = true;
        random_calls = 0;
        assert_int_equal(cloud_token_make(text, &token), -EIO);
        assert_int_equal(cloud_session_make(text, hash), -EIO);
        no_random_bytes = false;
        assert_int_equal(random_calls, 2);
        assert_string_equal(text, "before");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(made_token_is_parsed),
                cmocka_unit_test(hash_is_of_the_secret_alone),
                cmocka_unit_test(other_texts_are_no_token),
                cmocka_unit_test(ids_have_every_character),
                cmocka_unit_test(session_id_is_parsed),
                cmocka_unit_test(hashes_are_compared_to_the_last_bit),
                cmocka_unit_test(without_random_bytes_nothing_is_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
