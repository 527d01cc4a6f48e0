/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libpush/token.h"

/* Made with ssh-keygen for this test; the fingerprint is what ssh-keygen -l prints. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
#define FINGERPRINT "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"

static void a_fingerprint_is_what_ssh_keygen_prints(void **state) {
        char fingerprint[FINGERPRINT_MAX];
        struct ssh_key key;

        (void)state;
        assert_int_equal(ssh_key_from_text(ED25519, strlen(ED25519), &key), SSH_KEY_OK);
        assert_int_equal(fingerprint_of(&key, fingerprint), 0);
        assert_string_equal(fingerprint, FINGERPRINT);
        assert_true(fingerprint_valid(fingerprint));
}

static void what_is_no_fingerprint_is_refused(void **state) {
        static const char *const bad[] = {
                "",
                "SHA256:",
                "MD5:00:11:22",
                "sha256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk",
                "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVL",
                "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk=",
                "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVL-",
                "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVL\x1b",
                "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLl", /* bits that no digest has */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                if (fingerprint_valid(bad[i]))
                        fail_msg("taken: %s", bad[i]);
}

static void a_token_is_22_characters_and_never_the_same(void **state) {
        char one[TOKEN_MAX], other[TOKEN_MAX];

        (void)state;
        assert_int_equal(token_make(one), 0);
        assert_int_equal(token_make(other), 0);
        assert_int_equal(strlen(one), 22);
        assert_true(token_valid(one));
        assert_string_not_equal(one, other);
}

static void a_token_is_of_base64url_alone(void **state) {
        (void)state;
        assert_true(token_valid("ABCDEFGHIJ-_0123456789"));
        assert_false(token_valid("ABCDEFGHIJ-_012345678"));
        assert_false(token_valid("ABCDEFGHIJ-_01234567890"));
        assert_false(token_valid("ABCDEFGHIJ+/0123456789"));
        assert_false(token_valid(""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fingerprint_is_what_ssh_keygen_prints),
                cmocka_unit_test(what_is_no_fingerprint_is_refused),
                cmocka_unit_test(a_token_is_22_characters_and_never_the_same),
                cmocka_unit_test(a_token_is_of_base64url_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
