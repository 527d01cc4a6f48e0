/* SPDX-License-Identifier: Apache-2.0 */
/* The form of keys: text and blob. */
#include "tests/unit/ssh_key_samples.h"

static void every_type_round_trips(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key, again;

                assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_OK);
                assert_int_equal(key.type, type);
                assert_int_equal(key.blob_length, blob.n);
                assert_memory_equal(key.blob, blob.at, blob.n);

                ssh_key_to_text(&key, text);
                assert_true(strlen(text) < SSH_KEY_TEXT_MAX);
                assert_int_equal(fault_of(true, text, strlen(text), &again), SSH_KEY_OK);
                assert_int_equal(again.type, type);
                assert_int_equal(again.blob_length, blob.n);
                assert_memory_equal(again.blob, blob.at, blob.n);
        }
}

static void text_is_that_of_ssh_keygen(void **state) {
        static const char *const texts[] = {ed25519, p256, p384, p521, rsa_2048, rsa_3072, rsa_8192};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key;

                assert_int_equal(fault_of(true, texts[i], strlen(texts[i]), &key), SSH_KEY_OK);
                ssh_key_to_text(&key, text);
                assert_string_equal(text, texts[i]);
                assert_int_equal(strncmp(text, ssh_key_type_name(key.type), strcspn(text, " ")), 0);
        }
}

static void longest_text_fits(void **state) {
        struct ssh_key key = {.type = SSH_KEY_SK_ECDSA_P256, .blob_length = SSH_KEY_BLOB_MAX};
        char *text = malloc(SSH_KEY_TEXT_MAX);

        (void)state;
        assert_non_null(text);
        ssh_key_to_text(&key, text);
        assert_true(strlen(text) < SSH_KEY_TEXT_MAX);
        free(text);
        for (int type = SSH_KEY_ED25519; type <= SSH_KEY_SK_ECDSA_P256; type++)
                assert_true(strlen(ssh_key_type_name((enum ssh_key_type)type)) < SSH_KEY_TYPE_MAX);
}

static void ecdsa_point_is_located(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                static const size_t lengths[] = {
                        [SSH_KEY_ECDSA_P256] = 65,
                        [SSH_KEY_ECDSA_P384] = 97,
                        [SSH_KEY_ECDSA_P521] = 133,
                        [SSH_KEY_SK_ECDSA_P256] = 65,
                };
                enum ssh_key_type type;
                struct blob blob = sample(i, &type), plain = blob_of(p256);
                struct ssh_key key;

                assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_OK);
                assert_int_equal(key.point_length, lengths[type]);
                if (lengths[type] == 0)
                        assert_int_equal(key.point_offset, 0);
                else if (type == SSH_KEY_SK_ECDSA_P256)
                        assert_memory_equal(key.blob + key.point_offset, p256_point(&plain).at, 65);
                else
                        assert_int_equal(key.point_offset + key.point_length, key.blob_length);
        }
}

static void truncated_blob_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                struct ssh_key key;

                for (size_t n = 0; n < blob.n; n++)
                        assert_int_equal(fault_of(false, blob.at, n, &key), SSH_KEY_FAULT_TRUNCATED);
        }
}

static void truncated_text_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key;

                assert_int_equal(ssh_key_from_blob(blob.at, blob.n, &key), SSH_KEY_OK);
                ssh_key_to_text(&key, text);
                for (size_t n = 0; n < strlen(text); n++)
                        assert_int_not_equal(fault_of(true, text, n, &key), SSH_KEY_OK);
        }
}

static void trailing_bytes_are_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                struct ssh_key key;

                for (unsigned byte = 0; byte < 256; byte++) {
                        blob.at[blob.n] = (uint8_t)byte;
                        assert_int_equal(fault_of(false, blob.at, blob.n + 1, &key), SSH_KEY_FAULT_TRAILING);
                }
        }
}

static void wrong_length_field_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                struct bytes from = of(blob.at, blob.n), part;

                while (from.left > 0) {
                        uint8_t *field = blob.at + (blob.n - from.left);

                        assert_true(bytes_string(&from, &part));
                        for (unsigned bit = 0; bit < 32; bit++) {
                                struct ssh_key key;

                                field[bit / 8] ^= (uint8_t)(1 << bit % 8);
                                assert_int_not_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_OK);
                                field[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        }
                }
        }
}

/* Most changes make another valid key. What is accepted must be kept unchanged. */
static void bit_flip_is_refused_or_kept(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                size_t taken = 0;

                for (size_t bit = 0; bit < 8 * blob.n; bit++) {
                        struct ssh_key key;

                        blob.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        if (fault_of(false, blob.at, blob.n, &key) == SSH_KEY_OK) {
                                taken++;
                                assert_int_equal(key.blob_length, blob.n);
                                assert_memory_equal(key.blob, blob.at, blob.n);
                        }
                        blob.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                assert_in_range(taken, 1, 8 * blob.n - 1);
        }
}

static void empty_text_is_refused(void **state) {
        struct ssh_key key;

        (void)state;
        assert_int_equal(ssh_key_from_text("", 0, &key), SSH_KEY_FAULT_EMPTY);
        assert_int_equal(ssh_key_from_text(NULL, 0, &key), SSH_KEY_FAULT_EMPTY);
        assert_int_equal(ssh_key_from_blob(NULL, 0, &key), SSH_KEY_FAULT_TRUNCATED);
}

static void unprintable_characters_are_refused(void **state) {
        const size_t n = strlen(ed25519);
        char text[sizeof(ed25519)];

        (void)state;
        for (unsigned c = 0; c < 256; c++) {
                if (c >= 0x20 && c < 0x7f)
                        continue;
                for (size_t index = 0; index < n; index++) {
                        memcpy(text, ed25519, n);
                        text[index] = (char)c;
                        assert_text_of(text, n, SSH_KEY_FAULT_CONTROL);
                }
                memcpy(text, ed25519, n);
                text[n] = (char)c;
                assert_text_of(text, n + 1, SSH_KEY_FAULT_CONTROL);
        }
        assert_joined("", ed25519, "\r\n", SSH_KEY_FAULT_CONTROL);
        assert_joined("\xef\xbb\xbf", ed25519, "", SSH_KEY_FAULT_CONTROL);
        assert_joined(ed25519, "\n", ed25519, SSH_KEY_FAULT_CONTROL);
}

static void text_is_two_words_and_a_blank(void **state) {
        (void)state;
        assert_text(" ", SSH_KEY_FAULT_FORM);
        assert_text("  ", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519 ", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519  AAAA", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519-cert-v01@openssh.com ", SSH_KEY_FAULT_FORM);
        assert_text(" AAAA", SSH_KEY_FAULT_FORM);
        assert_text(strchr(ed25519, ' ') + 1, SSH_KEY_FAULT_FORM);
        assert_text(strchr(ed25519, ' '), SSH_KEY_FAULT_FORM);
}

static void options_are_refused(void **state) {
        static const char *const options[] = {
                " ",
                "  ",
                "restrict ",
                "cert-authority ",
                "from=\"192.0.2.1\" ",
                "command=\"echo one two\",no-pty ",
                "command=\"echo ssh-rsa AAAA\" ",
                "restrict,expiry-time=\"20300101Z\" ",
                "@revoked ",
                "# ",
                "example.org ",
                "1024 ",
        };
        static const char *const keys[] = {ed25519, p256, p384, p521, rsa_2048, certificate, "ssh-dss AAAA", "ssh-rsa"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(options); i++)
                for (size_t j = 0; j < ELEMENTS(keys); j++)
                        assert_joined(options[i], keys[j], "", SSH_KEY_FAULT_OPTIONS);
}

static void comment_is_refused(void **state) {
        static const char *const comments[] = {" ", "  ", " alice@example.org", " ssh-rsa AAAA", " #", " a b"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(comments); i++)
                assert_joined("", ed25519, comments[i], SSH_KEY_FAULT_COMMENT);
        assert_joined("ssh-rsa ", ed25519, "", SSH_KEY_FAULT_COMMENT);
}

static void certificate_is_refused(void **state) {
        struct blob blob = blob_of(certificate);
        struct ssh_key key;

        (void)state;
        assert_text(certificate, SSH_KEY_FAULT_CERTIFICATE);
        assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_FAULT_CERTIFICATE);
        assert_joined("ecdsa-sha2-nistp256", strchr(certificate, ' '), "", SSH_KEY_FAULT_CERTIFICATE);
        assert_joined("ssh-rsa-cert-v01@openssh.com", strchr(rsa_2048, ' '), "", SSH_KEY_FAULT_CERTIFICATE);
        assert_joined("", certificate, " comment", SSH_KEY_FAULT_CERTIFICATE);
}

static void dss_key_is_refused(void **state) {
        struct blob blob = blob_of_parts("ssh-dss", 1, (struct bytes[]){of_text("\1")});

        (void)state;
        assert_blob(blob, "ssh-dss", SSH_KEY_FAULT_DSS);
        assert_blob(blob, "ssh-rsa", SSH_KEY_FAULT_DSS);
}

static void unknown_type_is_refused(void **state) {
        static const char *const types[] = {
                "",
                "ssh-ed2551",
                "ssh-ed255199",
                "SSH-ED25519",
                "Ssh-rsa",
                "rsa",
                "rsa-sha2-256",
                "ssh-ed448",
                "ssh-rsa1",
                "ssh-dss1",
                "-cert-v01@openssh.co",
                "ssh-mldsa44-ed25519@openssh.com",
                "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
                "sk-ssh-ed25519",
                "ecdsa-sha2-nistp224",
                "ecdsa-sha2-1.3.132.0.10",
        };
        struct bytes nul = of("ssh-rsa", sizeof("ssh-rsa"));
        struct blob with_nul;
        struct writer to = {.data = with_nul.at, .size = sizeof(with_nul.at)};
        struct ssh_key key;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                struct blob blob = blob_of_parts(types[i], 1, (struct bytes[]){of_text("\1")});

                assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_FAULT_TYPE);
                if (types[i][0] != '\0')
                        assert_joined(types[i], strchr(ed25519, ' '), "", SSH_KEY_FAULT_TYPE);
        }
        writer_string(&to, nul.at, nul.left);
        assert_int_equal(fault_of(false, with_nul.at, to.used, &key), SSH_KEY_FAULT_TYPE);
}

static void noncanonical_base64_is_refused(void **state) {
        char text[sizeof(p256)];

        (void)state;
        /* It ends in "c=": two bits of the 'c' are unused. */
        memcpy(text, p256, sizeof(p256));
        assert_int_equal(text[sizeof(p256) - 3], 'c');
        for (const char *c = "def"; *c != '\0'; c++) {
                text[sizeof(p256) - 3] = *c;
                assert_text(text, SSH_KEY_FAULT_BASE64);
        }
        assert_text_of(p256, sizeof(p256) - 2, SSH_KEY_FAULT_BASE64);
        assert_joined("", p256, "=", SSH_KEY_FAULT_BASE64);
        assert_joined("", ed25519, "====", SSH_KEY_FAULT_BASE64);
        assert_joined("", ed25519, "!", SSH_KEY_FAULT_BASE64);
        assert_text("ssh-ed25519 AAAA-_AA", SSH_KEY_FAULT_BASE64);
        assert_text("ssh-ed25519 =", SSH_KEY_FAULT_BASE64);
}

static void blank_in_the_base64_is_refused(void **state) {
        const size_t type = strcspn(ed25519, " ") + 1, n = strlen(ed25519);

        (void)state;
        for (size_t index = type; index < n; index++) {
                char text[sizeof(ed25519) + 1];

                memcpy(text, ed25519, index);
                text[index] = ' ';
                memcpy(text + index + 1, ed25519 + index, n - index);
                assert_text_of(text, n + 1, index == type ? SSH_KEY_FAULT_FORM : SSH_KEY_FAULT_COMMENT);
        }
}

static void too_long_key_is_refused(void **state) {
        char text[8 + 4096] = "ssh-rsa ";
        struct ssh_key key;

        (void)state;
        for (size_t n = SSH_KEY_BLOB_MAX - 3; n < SSH_KEY_BLOB_MAX + 9; n++) {
                struct blob blob = {.at = "\0\0\0\7ssh-rsa", .n = n};

                /* Two empty strings, and zeros after them. */
                assert_blob(blob, "ssh-rsa", n > SSH_KEY_BLOB_MAX ? SSH_KEY_FAULT_SIZE : SSH_KEY_FAULT_TRAILING);
        }
        assert_blob(rsa_of_bits(16384, of(exponent_65537, 3)), "ssh-rsa", SSH_KEY_FAULT_SIZE);
        memset(text + 8, 'A', sizeof(text) - 8);
        assert_text_of(text, sizeof(text), SSH_KEY_FAULT_SIZE);
        assert_int_equal(ssh_key_from_blob((const uint8_t *)text, SIZE_MAX, &key), SSH_KEY_FAULT_SIZE);
}

static void type_mismatch_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++)
                for (int said = SSH_KEY_ED25519; said <= SSH_KEY_SK_ECDSA_P256; said++) {
                        enum ssh_key_type type;
                        struct blob blob = sample(i, &type);
                        const char *name = ssh_key_type_name((enum ssh_key_type)said);
                        char text[SSH_KEY_TEXT_MAX];

                        strcat(strcpy(text, name), " ");
                        base64_encode(blob.at, blob.n, text + strlen(text));
                        assert_text(text, (int)type == said ? SSH_KEY_OK : SSH_KEY_FAULT_TYPE_MISMATCH);
                }
        assert_text("ssh-ed25519 AAAAAWE=", SSH_KEY_FAULT_TYPE_MISMATCH);
        assert_text("ssh-ed25519 AAAAAA==", SSH_KEY_FAULT_TYPE_MISMATCH);
}

static void base64_of_no_blob_is_refused(void **state) {
        (void)state;
        assert_text("ssh-ed25519 AAAA", SSH_KEY_FAULT_TRUNCATED);
        assert_text("ssh-ed25519 /////w==", SSH_KEY_FAULT_TRUNCATED);
        assert_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", SSH_KEY_FAULT_TRUNCATED);
}

static void every_fault_has_its_own_text(void **state) {
        (void)state;
        assert_string_equal(ssh_key_fault_text(SSH_KEY_OK), "no fault");
        for (int i = SSH_KEY_FAULT_EMPTY; i < SSH_KEY_FAULT_MAX_; i++) {
                const char *text = ssh_key_fault_text((enum ssh_key_fault)i);

                assert_non_null(text);
                assert_non_null(strstr(text, "; "));
                assert_int_not_equal(text[strlen(text) - 1], '.');
                for (int j = SSH_KEY_OK; j < i; j++)
                        assert_string_not_equal(text, ssh_key_fault_text((enum ssh_key_fault)j));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_type_round_trips),
                cmocka_unit_test(text_is_that_of_ssh_keygen),
                cmocka_unit_test(longest_text_fits),
                cmocka_unit_test(ecdsa_point_is_located),
                cmocka_unit_test(truncated_blob_is_refused),
                cmocka_unit_test(truncated_text_is_refused),
                cmocka_unit_test(trailing_bytes_are_refused),
                cmocka_unit_test(wrong_length_field_is_refused),
                cmocka_unit_test(bit_flip_is_refused_or_kept),
                cmocka_unit_test(empty_text_is_refused),
                cmocka_unit_test(unprintable_characters_are_refused),
                cmocka_unit_test(text_is_two_words_and_a_blank),
                cmocka_unit_test(options_are_refused),
                cmocka_unit_test(comment_is_refused),
                cmocka_unit_test(certificate_is_refused),
                cmocka_unit_test(dss_key_is_refused),
                cmocka_unit_test(unknown_type_is_refused),
                cmocka_unit_test(noncanonical_base64_is_refused),
                cmocka_unit_test(blank_in_the_base64_is_refused),
                cmocka_unit_test(too_long_key_is_refused),
                cmocka_unit_test(type_mismatch_is_refused),
                cmocka_unit_test(base64_of_no_blob_is_refused),
                cmocka_unit_test(every_fault_has_its_own_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
