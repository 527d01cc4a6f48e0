/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap=EVP_Digest. */
#include "agent/key_check.h"

#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/keys.h"

static bool digest_fails;

int __real_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl) {
        return digest_fails ? 0 : __real_EVP_Digest(from, n, ret, ret_size, type, impl);
}

static struct ssh_key known_key(size_t i) {
        struct ssh_key key;

        assert_int_equal(ssh_key_from_text(known_keys[i].text, strlen(known_keys[i].text), &key), SSH_KEY_OK);
        assert_int_equal(key.type, known_keys[i].type);
        return key;
}

static uint8_t *point_of(struct ssh_key *key) {
        return key->blob + key->point_offset;
}

static void valid_key_is_on_curve(void **state) {
        unsigned with_point = 0;

        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                struct ssh_key key = known_key(i);

                assert_true(key_check_point(&key));
                with_point += key.point_length > 0;
        }
        assert_int_equal(with_point, 4);
}

static void point_off_curve_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                struct ssh_key key = known_key(i);

                if (key.point_length == 0)
                        continue;
                point_of(&key)[key.point_length - 1] ^= 1;
                assert_false(key_check_point(&key));
                point_of(&key)[key.point_length - 1] ^= 1;
                point_of(&key)[key.point_length / 2] ^= 0x80;
                assert_false(key_check_point(&key));
        }
}

/* The other point with the same x: y is p - y, and that is on the curve too. Here y is only swapped with x. */
static void swapped_coordinates_are_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                struct ssh_key key = known_key(i);
                size_t half = (key.point_length - 1) / 2;
                uint8_t x[66];

                if (key.point_length == 0)
                        continue;
                memcpy(x, point_of(&key) + 1, half);
                memmove(point_of(&key) + 1, point_of(&key) + 1 + half, half);
                memcpy(point_of(&key) + 1 + half, x, half);
                assert_false(key_check_point(&key));
        }
}

/* SEC 1 writes the point at infinity as one zero byte; zeros as coordinates are no point at all. */
static void point_at_infinity_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                struct ssh_key key = known_key(i), zeros = key;

                if (key.point_length == 0)
                        continue;
                memset(point_of(&zeros) + 1, 0, key.point_length - 1);
                assert_false(key_check_point(&zeros));
                point_of(&key)[0] = 0;
                key.point_length = 1;
                assert_false(key_check_point(&key));
        }
}

static void coordinate_beyond_field_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                struct ssh_key key = known_key(i);

                if (key.point_length == 0)
                        continue;
                memset(point_of(&key) + 1, 0xff, key.point_length - 1);
                assert_false(key_check_point(&key));
        }
}

static void point_of_other_curve_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                struct ssh_key key = known_key(i);

                if (key.type == SSH_KEY_ECDSA_P256)
                        key.type = SSH_KEY_ECDSA_P384;
                else if (key.type == SSH_KEY_ECDSA_P384 || key.type == SSH_KEY_ECDSA_P521)
                        key.type = SSH_KEY_ECDSA_P256;
                else
                        continue;
                assert_false(key_check_point(&key));
        }
}

static void fingerprint_is_that_of_ssh_keygen(void **state) {
        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                char name[STORE_FINGERPRINT_NAME_MAX], text[STORE_FINGERPRINT_NAME_MAX + 7];
                struct ssh_key key = known_key(i);

                assert_int_equal(key_check_fingerprint(&key, name), 0);
                store_fingerprint_text(name, text);
                assert_string_equal(text, known_keys[i].fingerprint);
        }
}

static void failed_digest_has_no_fingerprint(void **state) {
        char name[STORE_FINGERPRINT_NAME_MAX] = "before";
        struct ssh_key key = known_key(0);

        (void)state;
        digest_fails = true;
        assert_int_equal(key_check_fingerprint(&key, name), -EIO);
        digest_fails = false;
        assert_string_equal(name, "before");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(valid_key_is_on_curve),
                cmocka_unit_test(point_off_curve_is_refused),
                cmocka_unit_test(swapped_coordinates_are_refused),
                cmocka_unit_test(point_at_infinity_is_refused),
                cmocka_unit_test(coordinate_beyond_field_is_refused),
                cmocka_unit_test(point_of_other_curve_is_refused),
                cmocka_unit_test(fingerprint_is_that_of_ssh_keygen),
                cmocka_unit_test(failed_digest_has_no_fingerprint),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
