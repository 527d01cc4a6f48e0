/* SPDX-License-Identifier: Apache-2.0 */
/* Key lines, and fingerprints that ssh-keygen -l, and openssl pkey -outform DER with md5sum, gave for the same keys. */
#include "cloud/api/keypair_fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/key_line.h"

#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrv2568vqY2LUmR1ANpT0u05VD80tZMWCJNsbvhqqsm"
#define RSA                                                                                                            \
        "ssh-rsa "                                                                                                     \
        "AAAAB3NzaC1yc2EAAAADAQABAAABAQCuY4iAc35qgfJ+7HDHkwJwLq972cHZSWnCOD6q2kDV0KF2ABENzwQq3lPq5NOZ/"                \
        "s4PaZUACc1LyT851F/sm9Dz9ZJhdMXu/tpJM0bUJjx0xk02a+8mhqzHAtpN7LgLI/"                                            \
        "kcr9eH4M9rieiFhKxxWON5MPeC0T83C6a5eYS78C49gBqGl+"                                                             \
        "qSkPBlBzFaq2nC6iY6xQb78FlHUeaeG1ga3eVN0eqpH3ogvIw8mQo4tovM+"                                                  \
        "EUU6PK9yRcVfljAIEcwtRulf2GD6CqBrVb750+t+EURENy83JnmTD2782I41opTjaBiUsAtzBIsqojMpiSLYt92f+/mlHmliRe6K5QtNAZ/"

static struct ssh_key key;

static void ec2_fingerprints_are_those_of_other_programs(void **state) {
        char text[STORE_FINGERPRINT_MAX];

        (void)state;
        assert_null(key_line_parse(RSA, &key));
        assert_int_equal(keypair_fingerprint_ec2(&key, NULL, text), 0);
        assert_string_equal(text, "9e:eb:04:da:f3:d8:a1:f9:0b:e6:81:f6:3e:61:b4:bb");
        assert_null(key_line_parse(ED25519, &key));
        assert_int_equal(keypair_fingerprint_ec2(&key, NULL, text), 0);
        assert_string_equal(text, "cSWuwB8EeQaN+me93uJw1gcPbxRtZJXDJ0/0+9KpfjE=");
}

static void key_line_may_have_a_comment_and_an_end(void **state) {
        static const char *const lines[] = {
                ED25519,
                ED25519 "\n",
                ED25519 "\r\n",
                ED25519 " alice@example",
                ED25519 " a comment of words\n\n",
                "  ssh-ed25519\t AAAAC3NzaC1lZDI1NTE5AAAAIMrv2568vqY2LUmR1ANpT0u05VD80tZMWCJNsbvhqqsm\tx",
        };
        char text[SSH_KEY_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                assert_null(key_line_parse(lines[i], &key));
                ssh_key_to_text(&key, text);
                assert_string_equal(text, ED25519);
        }
}

static void what_is_not_one_key_is_refused(void **state) {
        static const char *const lines[] = {
                "",
                "\n",
                " ",
                "ssh-ed25519",
                "ssh-ed25519 ",
                "restrict " ED25519,
                "command=\"x y\" " ED25519,
                "cert-authority " ED25519,
                "@cert-authority * " ED25519,
                "# " ED25519,
                ED25519 "\n" ED25519,
                ED25519 "\n# comment",
                "\n" ED25519,
                "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIMrv2568vqY2LUmR1ANpT0u05VD80tZMWCJNsbvhqqsm",
                "ssh-ed25519-cert-v01@openssh.com AAAA",
                "-----BEGIN OPENSSH PRIVATE KEY-----",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                if (!key_line_parse(lines[i], &key))
                        fail_msg("'%s' is taken", lines[i]);
}

static void long_lines_are_refused(void **state) {
        char line[16384];

        (void)state;
        memset(line, 'A', sizeof(line));
        line[sizeof(line) - 1] = '\0';
        assert_non_null(key_line_parse(line, &key));
        memcpy(line, "ssh-rsa ", 8);
        assert_non_null(key_line_parse(line, &key));
        memset(line, ' ', sizeof(line));
        line[sizeof(line) - 1] = '\0';
        assert_non_null(key_line_parse(line, &key));
        /* A long comment is dropped. */
        memset(line, 'x', sizeof(line));
        line[sizeof(line) - 1] = '\0';
        memcpy(line, ED25519 " ", sizeof(ED25519));
        assert_null(key_line_parse(line, &key));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ec2_fingerprints_are_those_of_other_programs),
                cmocka_unit_test(key_line_may_have_a_comment_and_an_end),
                cmocka_unit_test(what_is_not_one_key_is_refused),
                cmocka_unit_test(long_lines_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
