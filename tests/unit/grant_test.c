/* SPDX-License-Identifier: Apache-2.0 */
#include "common/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Offsets of the first fields (common/grant.h). */
enum {
        AT_TIMES = 8,
        AT_SYNCHRONIZED = 40,
        AT_RESTRICT = 41,
        AT_CONNECTIONS = 42,
        AT_USER = 43,
};

static const uint8_t ed25519[] = "\0\0\0\013ssh-ed25519\0\0\0\040abcdefghijklmnopqrstuvwxyz012345";

static void key_of(const uint8_t *blob, size_t length, struct ssh_key *ret) {
        assert_int_equal(ssh_key_from_blob(blob, length, ret), SSH_KEY_OK);
}

static struct grant minimal(void) {
        struct grant grant = {.user = "u"};

        key_of(ed25519, sizeof(ed25519) - 1, &grant.key);
        return grant;
}

static struct grant full(void) {
        struct grant grant = {
                .user = "ada",
                .life = {{1, 2}, 3, INT64_MAX, true},
                .connections = 100,
                .restricted = true,
                .n_sources = 2,
                .sources = {{SOURCE_V4, 24, {192, 0, 2}}, {SOURCE_V6, 128, {0x20, 0x01, [15] = 1}}},
                .principal = "ops \xc3\xa9\n",
                .request_id = "REQ-1",
        };

        key_of(ed25519, sizeof(ed25519) - 1, &grant.key);
        return grant;
}

/* An RSA key of 8192 bits with a 32-bit exponent, and every text and list at its limit. */
static struct grant largest(void) {
        struct grant grant = {
                .life = {{INT64_MAX, INT64_MAX}, INT64_MAX, INT64_MAX, true},
                .connections = GRANT_CONNECTIONS_MAX,
                .restricted = true,
                .n_sources = GRANT_SOURCES_MAX,
        };
        uint8_t raw[2048], modulus[1025];
        struct writer to = {.data = raw, .size = sizeof(raw)};

        memset(modulus, 0xff, sizeof(modulus));
        modulus[0] = 0;
        writer_text(&to, "ssh-rsa");
        writer_string(&to, "\0\xff\xff\xff\xff", 5);
        writer_string(&to, modulus, sizeof(modulus));
        key_of(raw, to.used, &grant.key);
        memset(grant.user, 'u', sizeof(grant.user) - 1);
        memset(grant.principal, 'p', sizeof(grant.principal) - 1);
        memset(grant.request_id, 'r', sizeof(grant.request_id) - 1);
        for (size_t i = 0; i < GRANT_SOURCES_MAX; i++)
                grant.sources[i] = (struct source){SOURCE_V6, 128, {0x20, 0x01, [15] = (uint8_t)i}};
        return grant;
}

static void assert_same(const struct grant *a, const struct grant *b) {
        assert_string_equal(a->user, b->user);
        assert_int_equal(a->key.type, b->key.type);
        assert_int_equal(a->key.blob_length, b->key.blob_length);
        assert_memory_equal(a->key.blob, b->key.blob, a->key.blob_length);
        assert_true(a->life.received.boot_ns == b->life.received.boot_ns);
        assert_true(a->life.received.wall_ns == b->life.received.wall_ns);
        assert_true(a->life.boot_end_ns == b->life.boot_end_ns);
        assert_true(a->life.wall_end_ns == b->life.wall_end_ns);
        assert_int_equal(a->life.synchronized, b->life.synchronized);
        assert_int_equal(a->restricted, b->restricted);
        assert_int_equal(a->connections, b->connections);
        assert_int_equal(a->n_sources, b->n_sources);
        assert_memory_equal(a->sources, b->sources, a->n_sources * sizeof(a->sources[0]));
        assert_string_equal(a->principal, b->principal);
        assert_string_equal(a->request_id, b->request_id);
}

/* In memory of exactly that size, so that the sanitizer sees a read past its end; `ret` is filled before. */
static bool decode(const uint8_t *raw, size_t length, struct grant *ret) {
        uint8_t *copy = malloc(length > 0 ? length : 1);
        bool taken;

        assert_non_null(copy);
        memcpy(copy, raw, length);
        memset(ret, 0xa5, sizeof(*ret));
        taken = grant_decode(copy, length, ret);
        free(copy);
        return taken;
}

static bool taken(const uint8_t *raw, size_t length) {
        struct grant grant;

        return decode(raw, length, &grant);
}

static size_t encode(const struct grant *grant, uint8_t raw[static GRANT_FILE_MAX]) {
        size_t length = grant_encode(grant, raw, GRANT_FILE_MAX);

        assert_in_range(length, 1, GRANT_FILE_MAX);
        return length;
}

static void assert_round_trip(const struct grant *grant) {
        uint8_t raw[GRANT_FILE_MAX], again[GRANT_FILE_MAX];
        size_t length = encode(grant, raw);
        struct grant decoded;

        assert_true(decode(raw, length, &decoded));
        assert_same(&decoded, grant);
        assert_int_equal(encode(&decoded, again), length);
        assert_memory_equal(again, raw, length);
}

static void grant_round_trips(void **state) {
        struct grant grants[] = {minimal(), full(), largest()};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(grants); i++)
                assert_round_trip(&grants[i]);
}

static void unlimited_grant_round_trips(void **state) {
        struct grant grant = full();

        (void)state;
        for (unsigned n = 0; n <= GRANT_CONNECTIONS_MAX; n++) {
                grant.connections = (uint8_t)n;
                assert_round_trip(&grant);
        }
}

static void layout_is_that_of_the_header(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX], expected[GRANT_FILE_MAX];
        size_t used = 0, length = encode(&grant, raw);

#define PUT(text) (memcpy(expected + used, text, sizeof(text) - 1), used += sizeof(text) - 1)
        (void)state;
        PUT("EXCGRNT1");
        PUT("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\x7f\xff\xff\xff\xff\xff\xff\xff");
        PUT("\1\1\144");
        PUT("\0\0\0\3ada");
        PUT("\0\0\0\063\0\0\0\013ssh-ed25519\0\0\0\040abcdefghijklmnopqrstuvwxyz012345");
        PUT("\2");
        PUT("\4\030\300\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0");
        PUT("\6\200\040\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1");
        PUT("\0\0\0\7ops \xc3\xa9\n");
        PUT("\0\0\0\5REQ-1");
#undef PUT
        assert_int_equal(length, used);
        assert_memory_equal(raw, expected, used);
}

static void largest_grant_fits(void **state) {
        struct grant grant = largest();
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        assert_true(encode(&grant, raw) <= GRANT_FILE_MAX);
        /* Also with the longest blob that fits into the struct. */
        assert_true(encode(&grant, raw) - grant.key.blob_length + SSH_KEY_BLOB_MAX <= GRANT_FILE_MAX);
}

static void too_small_buffer_is_refused(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX], small[GRANT_FILE_MAX];
        size_t length = encode(&grant, raw);

        (void)state;
        for (size_t size = 0; size < length; size++) {
                memset(small, 0x5a, sizeof(small));
                assert_int_equal(grant_encode(&grant, small, size), 0);
                for (size_t i = size; i < sizeof(small); i++)
                        assert_int_equal(small[i], 0x5a);
        }
        assert_int_equal(grant_encode(&grant, small, length), length);
}

static void every_truncation_is_refused(void **state) {
        struct grant grants[] = {minimal(), full(), largest()};
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(grants); i++) {
                size_t length = encode(&grants[i], raw);

                for (size_t n = 0; n < length; n++)
                        if (taken(raw, n))
                                fail_msg("%zu of %zu bytes are taken", n, length);
        }
}

static void trailing_bytes_are_refused(void **state) {
        struct grant grants[] = {minimal(), full()};
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(grants); i++) {
                size_t length = encode(&grants[i], raw);

                for (unsigned byte = 0; byte < 256; byte++) {
                        raw[length] = (uint8_t)byte;
                        assert_false(taken(raw, length + 1));
                }
                raw[length] = 0;
                raw[length + 1] = 0;
                assert_false(taken(raw, length + 2));
        }
}

static void other_magic_is_refused(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX];
        size_t length = encode(&grant, raw);

        (void)state;
        for (size_t i = 0; i < AT_TIMES; i++) {
                raw[i] ^= 1;
                assert_false(taken(raw, length));
                raw[i] ^= 1;
        }
        assert_true(taken(raw, length));
}

static void negative_time_is_refused(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX];
        size_t length = encode(&grant, raw);

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                raw[AT_TIMES + 8 * i] ^= 0x80;
                assert_false(taken(raw, length));
                raw[AT_TIMES + 8 * i] ^= 0x80;
        }
}

static void out_of_range_values_are_refused(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX];
        size_t length = encode(&grant, raw);

        (void)state;
        for (unsigned value = 0; value < 256; value++) {
                raw[AT_SYNCHRONIZED] = (uint8_t)value;
                assert_int_equal(taken(raw, length), value <= 1);
                raw[AT_SYNCHRONIZED] = 1;
                raw[AT_RESTRICT] = (uint8_t)value;
                assert_int_equal(taken(raw, length), value <= 1);
                raw[AT_RESTRICT] = 1;
                raw[AT_CONNECTIONS] = (uint8_t)value;
                assert_int_equal(taken(raw, length), value <= GRANT_CONNECTIONS_MAX);
                raw[AT_CONNECTIONS] = 1;
        }
}

/* A grant whose texts are bytes that grant_encode() would never write. */
static size_t with_texts(const char *user, size_t n_user, const char *principal, size_t n_principal,
                         const char *request, size_t n_request, uint8_t raw[static GRANT_FILE_MAX]) {
        static const uint8_t times[32];
        struct writer to = {.data = raw, .size = GRANT_FILE_MAX};

        writer_put(&to, "EXCGRNT1", 8);
        writer_put(&to, times, sizeof(times));
        writer_put(&to, "\0\0\1", 3);
        writer_string(&to, user, n_user);
        writer_string(&to, ed25519, sizeof(ed25519) - 1);
        writer_u8(&to, 0);
        writer_string(&to, principal, n_principal);
        writer_string(&to, request, n_request);
        assert_false(to.full);
        return to.used;
}

static void nul_in_a_text_is_refused(void **state) {
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        assert_true(taken(raw, with_texts("root", 4, "p", 1, "r", 1, raw)));
        assert_false(taken(raw, with_texts("root\0x", 6, "p", 1, "r", 1, raw)));
        assert_false(taken(raw, with_texts("root\0", 5, "p", 1, "r", 1, raw)));
        assert_false(taken(raw, with_texts("\0", 1, "p", 1, "r", 1, raw)));
        assert_false(taken(raw, with_texts("root", 4, "p\0", 2, "r", 1, raw)));
        assert_false(taken(raw, with_texts("root", 4, "p", 1, "\0r", 2, raw)));
}

static void texts_have_limits(void **state) {
        uint8_t raw[GRANT_FILE_MAX];
        char text[GRANT_LABEL_MAX];

        (void)state;
        memset(text, 'x', sizeof(text));
        assert_true(taken(raw, with_texts(text, GRANT_USER_MAX - 1, "", 0, "", 0, raw)));
        assert_false(taken(raw, with_texts(text, GRANT_USER_MAX, "", 0, "", 0, raw)));
        assert_true(taken(raw, with_texts("u", 1, text, GRANT_LABEL_MAX - 1, "", 0, raw)));
        assert_false(taken(raw, with_texts("u", 1, text, GRANT_LABEL_MAX, "", 0, raw)));
        assert_true(taken(raw, with_texts("u", 1, "", 0, text, GRANT_LABEL_MAX - 1, raw)));
        assert_false(taken(raw, with_texts("u", 1, "", 0, text, GRANT_LABEL_MAX, raw)));
}

static void empty_user_is_refused(void **state) {
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        assert_false(taken(raw, with_texts("", 0, "p", 1, "r", 1, raw)));
}

static void too_many_sources_are_refused(void **state) {
        struct grant grant = largest();
        uint8_t raw[GRANT_FILE_MAX], more[GRANT_FILE_MAX];
        size_t length = encode(&grant, raw);
        size_t at = AT_USER + 4 + strlen(grant.user) + 4 + grant.key.blob_length;

        (void)state;
        assert_int_equal(raw[at], GRANT_SOURCES_MAX);
        memcpy(more, raw, at + 19);
        more[at]++;
        memcpy(more + at + 19, raw + at + 1, length - at - 1);
        assert_false(taken(more, length + 18));
        for (unsigned n = 0; n < 256; n++) {
                raw[at] = (uint8_t)n;
                assert_int_equal(taken(raw, length), n == GRANT_SOURCES_MAX);
        }
}

static void invalid_source_is_refused(void **state) {
        static const struct source wrong[] = {
                {SOURCE_V4, 24, {192, 0, 2, 1}},
                {SOURCE_V4, 33, {0}},
                {SOURCE_V4, 32, {192, 0, 2, 1, 1}},
                {SOURCE_V6, 129, {0}},
                {SOURCE_V6, 64, {0x20, 0x01, [8] = 1}},
                {SOURCE_V6, 128, {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1}},
                {5, 0, {0}},
                {0, 0, {0}},
        };
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                struct grant grant = full();

                assert_true(taken(raw, encode(&grant, raw)));
                grant.sources[1] = wrong[i];
                if (taken(raw, encode(&grant, raw)))
                        fail_msg("source %zu is taken", i);
        }
}

static void invalid_key_is_refused(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX];

        (void)state;
        grant.key.blob_length--;
        assert_false(taken(raw, encode(&grant, raw)));
        grant = full();
        grant.key.blob_length++;
        assert_false(taken(raw, encode(&grant, raw)));
        grant = full();
        grant.key.blob_length = 0;
        assert_false(taken(raw, encode(&grant, raw)));
        grant = full();
        memcpy(grant.key.blob + 4, "ssh-ed25518", 11);
        assert_false(taken(raw, encode(&grant, raw)));
}

static void decoding_is_one_to_one(void **state) {
        struct grant grant = full();
        uint8_t raw[GRANT_FILE_MAX], again[GRANT_FILE_MAX];
        size_t length = encode(&grant, raw), refused = 0;

        (void)state;
        for (size_t bit = 0; bit < 8 * length; bit++) {
                struct grant other;

                raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (decode(raw, length, &other)) {
                        assert_int_equal(encode(&other, again), length);
                        assert_memory_equal(again, raw, length);
                } else {
                        refused++;
                }
                raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_in_range(refused, 200, 8 * length);
}

static void origin_is_in_the_magic(void **state) {
        uint8_t raw[GRANT_FILE_MAX];
        struct grant grant = minimal(), got;
        size_t n;

        (void)state;
        n = grant_encode(&grant, raw, sizeof(raw));
        assert_memory_equal(raw, "EXCGRNT1", 8);
        assert_true(grant_decode(raw, n, &got));
        assert_int_equal(got.origin, GRANT_PUSHED);
        grant.origin = GRANT_LAUNCH;
        assert_int_equal(grant_encode(&grant, raw, sizeof(raw)), n);
        assert_memory_equal(raw, "EXCLNCH1", 8);
        assert_true(grant_decode(raw, n, &got));
        assert_int_equal(got.origin, GRANT_LAUNCH);
        raw[7] = '2';
        assert_false(grant_decode(raw, n, &got));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(grant_round_trips),
                cmocka_unit_test(unlimited_grant_round_trips),
                cmocka_unit_test(layout_is_that_of_the_header),
                cmocka_unit_test(largest_grant_fits),
                cmocka_unit_test(too_small_buffer_is_refused),
                cmocka_unit_test(every_truncation_is_refused),
                cmocka_unit_test(trailing_bytes_are_refused),
                cmocka_unit_test(other_magic_is_refused),
                cmocka_unit_test(negative_time_is_refused),
                cmocka_unit_test(out_of_range_values_are_refused),
                cmocka_unit_test(nul_in_a_text_is_refused),
                cmocka_unit_test(texts_have_limits),
                cmocka_unit_test(empty_user_is_refused),
                cmocka_unit_test(too_many_sources_are_refused),
                cmocka_unit_test(invalid_source_is_refused),
                cmocka_unit_test(invalid_key_is_refused),
                cmocka_unit_test(decoding_is_one_to_one),
                cmocka_unit_test(origin_is_in_the_magic),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
