/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of low order, shown by what makes them dangerous: OpenSSL takes a signature that needed no private half. */
#include "common/ed25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MESSAGES = 4096 };

/* Hexadecimal, with the sign of x as zero. */
static const char *const low_order[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void read_key(const char *text, bool sign, uint8_t ret[static ED25519_KEY_SIZE]) {
        size_t n;

        assert_int_equal(OPENSSL_hexstr2buf_ex(ret, ED25519_KEY_SIZE, &n, text, '\0'), 1);
        assert_int_equal(n, ED25519_KEY_SIZE);
        if (sign)
                ret[ED25519_KEY_SIZE - 1] |= 0x80;
}

/*
 * RFC 8032 section 5.1.7 verifies S * B = R + k * A with k from a hash of the message. With S = 0 and R the neutral
 * point, this holds for every eighth message at least where the order of A divides 8, and else for none.
 */
static bool can_be_forged(const uint8_t key[static ED25519_KEY_SIZE]) {
        const uint8_t signature[64] = {1};
        EVP_PKEY *public_half = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);
        bool forged = false;

        assert_non_null(public_half);
        for (uint32_t message = 0; message < MESSAGES && !forged; message++) {
                EVP_MD_CTX *context = EVP_MD_CTX_new();

                assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, public_half), 1);
                forged = EVP_DigestVerify(context, signature, sizeof(signature), (const uint8_t *)&message,
                                          sizeof(message)) == 1;
                EVP_MD_CTX_free(context);
        }
        EVP_PKEY_free(public_half);
        ERR_clear_error();
        return forged;
}

static void key_that_anybody_can_sign_for_is_known(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(low_order) / sizeof(low_order[0]); i++)
                for (unsigned sign = 0; sign < 2; sign++) {
                        uint8_t key[ED25519_KEY_SIZE];

                        read_key(low_order[i], sign, key);
                        assert_true(can_be_forged(key));
                        assert_true(ed25519_is_low_order(key));
                }
}

static void made_key_is_none_of_them(void **state) {
        (void)state;
        for (unsigned i = 0; i < 8; i++) {
                EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
                uint8_t key[ED25519_KEY_SIZE];
                size_t n = sizeof(key);

                assert_non_null(pair);
                assert_int_equal(EVP_PKEY_get_raw_public_key(pair, key, &n), 1);
                assert_false(ed25519_is_low_order(key));
                assert_false(can_be_forged(key));
                EVP_PKEY_free(pair);
        }
}

/* One bit makes another key of each. */
static void neighbour_is_none_of_them(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(low_order) / sizeof(low_order[0]); i++)
                for (unsigned bit = 8; bit < 255; bit++) {
                        uint8_t key[ED25519_KEY_SIZE];

                        read_key(low_order[i], false, key);
                        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_false(ed25519_is_low_order(key));
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(key_that_anybody_can_sign_for_is_known),
                cmocka_unit_test(made_key_is_none_of_them),
                cmocka_unit_test(neighbour_is_none_of_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
