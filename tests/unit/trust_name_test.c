/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/trust_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/signing.h"

#define SIXTEEN "abcdefghijklmnop"
#define SIXTY_FOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static char file[TRUST_FILE_NAME_MAX];

static void names_get_the_suffix_once(void **state) {
        (void)state;
        assert_true(trust_name_file("cloud", file));
        assert_string_equal(file, "cloud.pem");
        assert_true(trust_name_file("cloud.pem", file));
        assert_string_equal(file, "cloud.pem");
        assert_true(trust_name_file("Cloud_2026-11.pub", file));
        assert_string_equal(file, "Cloud_2026-11.pub.pem");
        assert_true(trust_name_file(SIXTY_FOUR ".pem", file));
        assert_string_equal(file, SIXTY_FOUR ".pem");
}

static void other_names_are_refused(void **state) {
        static const char *const names[] = {
                "", ".pem", ".", "..", ".cloud", "a/b", "/", "a b", "\xc3\xa4", "a\n", "a*", SIXTY_FOUR "a",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_false(trust_name_file(names[i], file));
}

static void fingerprint_is_that_of_the_public_half(void **state) {
        EVP_PKEY *key = signing_ed25519(1), *other = signing_ec("P-256");
        char fingerprint[KEY_FINGERPRINT_MAX], again[KEY_FINGERPRINT_MAX];

        (void)state;
        /* openssl pkey -pubout -outform DER | sha256sum */
        assert_true(key_fingerprint_of(key, fingerprint));
        assert_string_equal(fingerprint, "fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2");
        assert_string_equal(trust_key_type(key), "Ed25519");
        assert_true(key_fingerprint_of(other, again));
        assert_int_equal(strlen(again), 64);
        assert_string_not_equal(again, fingerprint);
        assert_string_equal(trust_key_type(other), "ECDSA P-256");
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
}

static const char *fault(const char *text) {
        return trust_text_fault(text, strlen(text));
}

static void assert_fault(const char *text, const char *said) {
        const char *why = fault(text);

        assert_non_null(why);
        assert_non_null(strstr(why, said));
}

#define PUBLIC "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"

static void what_is_no_public_key_is_recognized(void **state) {
        (void)state;
        assert_null(fault(PUBLIC));
        assert_null(fault("nonsense"));
        assert_fault("", "empty");
        assert_fault("-----BEGIN PRIVATE KEY-----\nx\n", "openssl pkey -in FILE -pubout");
        assert_fault(PUBLIC "-----BEGIN EC PRIVATE KEY-----\nx\n", "private key");
        assert_fault("-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n" PUBLIC, "private key");
        assert_fault("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "private key");
        assert_fault("ssh-ed25519 AAAA x\n", "OpenSSH");
        assert_fault("ecdsa-sha2-nistp256 AAAA x\n", "OpenSSH");
        assert_fault("sk-ssh-ed25519@openssh.com AAAA x\n", "OpenSSH");
        assert_fault("---- BEGIN SSH2 PUBLIC KEY ----\n", "OpenSSH");
        assert_fault(PUBLIC PUBLIC, "more than one key");
        assert_null(trust_text_fault("ssh-", 3));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_get_the_suffix_once),
                cmocka_unit_test(other_names_are_refused),
                cmocka_unit_test(fingerprint_is_that_of_the_public_half),
                cmocka_unit_test(what_is_no_public_key_is_recognized),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
