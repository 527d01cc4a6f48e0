/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of keys: curves, points, numbers and applications. */
#include "tests/unit/ssh_key_samples.h"

static void curve_of_another_type_is_refused(void **state) {
        static const char *const types[] = {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"};
        static const char *const curves[] = {"nistp256", "nistp384", "nistp521", "", "nistp", "nistp2560", "NISTP256"};
        struct blob key = blob_of(p256);

        (void)state;
        for (size_t i = 0; i < ELEMENTS(types); i++)
                for (size_t j = 0; j < ELEMENTS(curves); j++)
                        if (i != j)
                                assert_blob(ecdsa_of(types[i], curves[j], p256_point(&key)), types[i],
                                            SSH_KEY_FAULT_CURVE_MISMATCH);
        assert_blob(blob_of_parts("sk-ecdsa-sha2-nistp256@openssh.com", 3,
                                  (struct bytes[]){of_text("nistp384"), p256_point(&key), of_text("ssh:")}),
                    "sk-ecdsa-sha2-nistp256@openssh.com", SSH_KEY_FAULT_CURVE_MISMATCH);
}

static void invalid_point_is_refused(void **state) {
        struct blob key = blob_of(p256);
        uint8_t point[66];

        (void)state;
        memcpy(point, p256_point(&key).at, 65);
        point[65] = 0;
        for (size_t n = 0; n <= sizeof(point); n++)
                assert_blob(ecdsa_of("ecdsa-sha2-nistp256", "nistp256", of(point, n)), "ecdsa-sha2-nistp256",
                            n == 65 ? SSH_KEY_OK : SSH_KEY_FAULT_POINT);
        for (unsigned form = 0; form < 256; form++) {
                point[0] = (uint8_t)form;
                assert_blob(ecdsa_of("ecdsa-sha2-nistp256", "nistp256", of(point, 65)), "ecdsa-sha2-nistp256",
                            form == 4 ? SSH_KEY_OK : SSH_KEY_FAULT_POINT);
        }
        assert_blob(blob_of_parts("sk-ecdsa-sha2-nistp256@openssh.com", 3,
                                  (struct bytes[]){of_text("nistp256"), of_text(""), of_text("ssh:")}),
                    "sk-ecdsa-sha2-nistp256@openssh.com", SSH_KEY_FAULT_POINT);
        assert_blob(ecdsa_of("ecdsa-sha2-nistp521", "nistp521", p256_point(&key)), "ecdsa-sha2-nistp521",
                    SSH_KEY_FAULT_POINT);
}

static void ed25519_key_has_32_bytes(void **state) {
        (void)state;
        for (size_t n = 0; n <= 64; n++)
                assert_blob(ed25519_of_size(n), "ssh-ed25519", n == 32 ? SSH_KEY_OK : SSH_KEY_FAULT_ED25519_SIZE);
        assert_blob(blob_of_parts("sk-ssh-ed25519@openssh.com", 2, (struct bytes[]){of_text("short"), of_text("ssh:")}),
                    "sk-ssh-ed25519@openssh.com", SSH_KEY_FAULT_ED25519_SIZE);
}

static void ed25519_key_of_low_order_is_refused(void **state) {
        static const uint8_t neutral[32] = {1};

        (void)state;
        assert_blob(blob_of_parts("ssh-ed25519", 1, (struct bytes[]){of(neutral, 32)}), "ssh-ed25519",
                    SSH_KEY_FAULT_ED25519_LOW_ORDER);
        assert_blob(blob_of_parts("sk-ssh-ed25519@openssh.com", 2, (struct bytes[]){of(neutral, 32), of_text("ssh:")}),
                    "sk-ssh-ed25519@openssh.com", SSH_KEY_FAULT_ED25519_LOW_ORDER);
}

static void invalid_mpint_is_refused(void **state) {
        static const struct {
                const char *at;
                size_t n;
        } bad[] = {
                {"", 0},         {"\0", 1},       {"\0\0", 2}, {"\0\3", 2}, {"\0\x7f\xff", 3},
                {"\0\0\xff", 3}, {"\0\1\0\1", 4}, {"\x80", 1}, {"\xff", 1}, {"\x81\0\1", 3},
        };
        struct blob modulus = modulus_of_bits(2048), padded = {.n = modulus.n + 1};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_blob(rsa_of_exponent(of(bad[i].at, bad[i].n)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
                assert_blob(rsa_of(of(exponent_65537, 3), of(bad[i].at, bad[i].n)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
        }

        /* As ssh-keygen writes it, with one more zero, and with one less, which makes it negative. */
        memcpy(padded.at + 1, modulus.at, modulus.n);
        assert_blob(rsa_of(of(exponent_65537, 3), of(modulus.at, modulus.n)), "ssh-rsa", SSH_KEY_OK);
        assert_blob(rsa_of(of(exponent_65537, 3), of(padded.at, padded.n)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
        assert_blob(rsa_of(of(exponent_65537, 3), of(modulus.at + 1, modulus.n - 1)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
}

static void rsa_exponent_is_odd_and_in_range(void **state) {
        static const struct {
                const char *at;
                size_t n;
                enum ssh_key_fault expected;
        } exponents[] = {
                {"\1", 1, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\2", 1, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\3", 1, SSH_KEY_OK},
                {"\4", 1, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\5", 1, SSH_KEY_OK},
                {"\x23", 1, SSH_KEY_OK},
                {"\0\xff", 2, SSH_KEY_OK},
                {"\1\0", 2, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\1\0\0", 3, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\1\0\1", 3, SSH_KEY_OK},
                {"\x7f\xff\xff\xff", 4, SSH_KEY_OK},
                {"\0\xff\xff\xff\xff", 5, SSH_KEY_OK},
                {"\0\xff\xff\xff\xfe", 5, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\1\0\0\0\1", 5, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\x7f\xff\xff\xff\xff\xff\xff\xff", 8, SSH_KEY_FAULT_RSA_EXPONENT},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(exponents); i++)
                assert_blob(rsa_of_exponent(of(exponents[i].at, exponents[i].n)), "ssh-rsa", exponents[i].expected);
}

static void rsa_modulus_has_2048_to_8192_bits(void **state) {
        static const struct {
                size_t bits;
                enum ssh_key_fault expected;
        } edges[] = {
                {8, SSH_KEY_FAULT_RSA_SHORT},
                {1024, SSH_KEY_FAULT_RSA_SHORT},
                {2040, SSH_KEY_FAULT_RSA_SHORT},
                {2041, SSH_KEY_FAULT_RSA_SHORT},
                {2047, SSH_KEY_FAULT_RSA_SHORT},
                {2048, SSH_KEY_OK},
                {2049, SSH_KEY_OK},
                {3072, SSH_KEY_OK},
                {8191, SSH_KEY_OK},
                {8192, SSH_KEY_OK},
                {8193, SSH_KEY_FAULT_RSA_LONG},
                {8200, SSH_KEY_FAULT_RSA_LONG},
        };

        (void)state;
        assert_text(rsa_1024, SSH_KEY_FAULT_RSA_SHORT);
        for (size_t i = 0; i < ELEMENTS(edges); i++)
                assert_blob(rsa_of_bits(edges[i].bits, of(exponent_65537, 3)), "ssh-rsa", edges[i].expected);
        assert_blob(rsa_of(of(exponent_65537, 3), of("\1", 1)), "ssh-rsa", SSH_KEY_FAULT_RSA_SHORT);
}

static void even_rsa_modulus_is_refused(void **state) {
        struct blob modulus = modulus_of_bits(2048);

        (void)state;
        modulus.at[modulus.n - 1] = 0xfe;
        assert_blob(rsa_of(of(exponent_65537, 3), of(modulus.at, modulus.n)), "ssh-rsa", SSH_KEY_FAULT_RSA_MODULUS);
}

static void application_begins_with_ssh_colon(void **state) {
        static const char *const bad[] = {"", "s", "ssh", "ssh;", "SSH:", " ssh:", "https://example.org", "webauthn"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_blob(sk_ed25519_for(of_text(bad[i])), "sk-ssh-ed25519@openssh.com", SSH_KEY_FAULT_APPLICATION);
                assert_blob(sk_ecdsa_for(of_text(bad[i])), "sk-ecdsa-sha2-nistp256@openssh.com",
                            SSH_KEY_FAULT_APPLICATION);
        }
        assert_blob(sk_ed25519_for(of_text("ssh:")), "sk-ssh-ed25519@openssh.com", SSH_KEY_OK);
        assert_blob(sk_ed25519_for(of_text("ssh: my \xc3\xa4")), "sk-ssh-ed25519@openssh.com", SSH_KEY_OK);
}

static void long_or_control_application_is_refused(void **state) {
        char application[SSH_KEY_APPLICATION_MAX + 1] = "ssh:";

        (void)state;
        memset(application + 4, 'x', sizeof(application) - 4);
        assert_blob(sk_ed25519_for(of(application, SSH_KEY_APPLICATION_MAX)), "sk-ssh-ed25519@openssh.com", SSH_KEY_OK);
        assert_blob(sk_ed25519_for(of(application, SSH_KEY_APPLICATION_MAX + 1)), "sk-ssh-ed25519@openssh.com",
                    SSH_KEY_FAULT_APPLICATION);
        for (unsigned c = 0; c < 256; c++) {
                char text[] = {'s', 's', 'h', ':', (char)c};

                assert_blob(sk_ed25519_for(of(text, sizeof(text))), "sk-ssh-ed25519@openssh.com",
                            c < 0x20 || c == 0x7f ? SSH_KEY_FAULT_APPLICATION : SSH_KEY_OK);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(curve_of_another_type_is_refused),
                cmocka_unit_test(invalid_point_is_refused),
                cmocka_unit_test(ed25519_key_has_32_bytes),
                cmocka_unit_test(ed25519_key_of_low_order_is_refused),
                cmocka_unit_test(invalid_mpint_is_refused),
                cmocka_unit_test(rsa_exponent_is_odd_and_in_range),
                cmocka_unit_test(rsa_modulus_has_2048_to_8192_bits),
                cmocka_unit_test(even_rsa_modulus_is_refused),
                cmocka_unit_test(application_begins_with_ssh_colon),
                cmocka_unit_test(long_or_control_application_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
