/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/openssh_key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/exc-openssh-key-XXXXXX";

static int make_directory(void **state) {
        (void)state;
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
        char command[128];

        (void)state;
        (void)snprintf(command, sizeof(command), "rm -r %s", directory);
        return system(command);
}

static EVP_PKEY *make(const char *type, size_t bits) {
        EVP_PKEY *key = bits ? EVP_PKEY_Q_keygen(NULL, NULL, type, bits) : EVP_PKEY_Q_keygen(NULL, NULL, type);

        assert_non_null(key);
        return key;
}

static void write_file(const char *name, const char *text, size_t length) {
        char path[128];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        assert_int_equal(fwrite(text, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
}

/* What a shell command in the directory prints; it must succeed. */
static void run(const char *command, char *ret, size_t size) {
        char line[512];
        FILE *pipe;
        size_t n;

        (void)snprintf(line, sizeof(line), "cd %s && %s", directory, command);
        pipe = popen(line, "re");
        assert_non_null(pipe);
        n = fread(ret, 1, size - 1, pipe);
        ret[n] = '\0';
        assert_int_equal(pclose(pipe), 0);
}

/* ssh-keygen reads the key, finds the same public half in it, and signs with it what verifies. */
static void assert_works(EVP_PKEY *key) {
        char expected[SSH_KEY_TEXT_MAX], said[2 * SSH_KEY_TEXT_MAX];
        struct openssh_key private_half;
        struct ssh_key public_half;

        assert_int_equal(openssh_key_public(key, &public_half), 0);
        assert_int_equal(openssh_key_private(key, &private_half), 0);
        assert_int_equal(strlen(private_half.text), private_half.length);
        assert_int_equal(private_half.text[private_half.length - 1], '\n');
        write_file("key", private_half.text, private_half.length);
        write_file("data", "data", 4);
        openssh_key_wipe(&private_half);
        assert_null(private_half.text);

        ssh_key_to_text(&public_half, expected);
        run("ssh-keygen -y -f key </dev/null", said, sizeof(said));
        said[strcspn(said, "\n")] = '\0';
        assert_string_equal(said, expected);
        run("rm -f data.sig && ssh-keygen -Y sign -f key -n test data 2>&1", said, sizeof(said));
        run("ssh-keygen -Y check-novalidate -n test -s data.sig <data 2>&1", said, sizeof(said));
        assert_non_null(strstr(said, "Good"));
}

static void ssh_keygen_reads_ed25519_keys(void **state) {
        (void)state;
        for (int i = 0; i < 4; i++) {
                EVP_PKEY *key = make("ED25519", 0);

                assert_works(key);
                EVP_PKEY_free(key);
        }
}

static void ssh_keygen_reads_rsa_keys(void **state) {
        static const size_t bits[] = {2048, 3072, 4096};

        (void)state;
        for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
                EVP_PKEY *key = make("RSA", bits[i]);

                assert_works(key);
                EVP_PKEY_free(key);
        }
}

static void other_types_and_sizes_are_refused(void **state) {
        EVP_PKEY *keys[] = {make("X25519", 0), make("RSA", 1024)};

        (void)state;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                struct openssh_key private_half = {.text = NULL};
                struct ssh_key public_half;

                assert_int_equal(openssh_key_private(keys[i], &private_half), -EOPNOTSUPP);
                assert_null(private_half.text);
                assert_int_equal(openssh_key_public(keys[i], &public_half), -EOPNOTSUPP);
                EVP_PKEY_free(keys[i]);
        }
}

static void public_half_alone_is_no_private_key(void **state) {
        EVP_PKEY *whole = make("ED25519", 0), *half;
        struct openssh_key private_half = {.text = NULL};
        struct ssh_key public_half;
        uint8_t raw[32];
        size_t n = sizeof(raw);

        (void)state;
        assert_int_equal(EVP_PKEY_get_raw_public_key(whole, raw, &n), 1);
        half = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, n);
        assert_non_null(half);
        assert_int_equal(openssh_key_private(half, &private_half), -EIO);
        assert_null(private_half.text);
        assert_int_equal(openssh_key_public(half, &public_half), 0);
        EVP_PKEY_free(half);
        EVP_PKEY_free(whole);
}

static void wiping_nothing_is_harmless(void **state) {
        struct openssh_key key = {.text = NULL};

        (void)state;
        openssh_key_wipe(&key);
        assert_null(key.text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ssh_keygen_reads_ed25519_keys),
                cmocka_unit_test(ssh_keygen_reads_rsa_keys),
                cmocka_unit_test(other_types_and_sizes_are_refused),
                cmocka_unit_test(public_half_alone_is_no_private_key),
                cmocka_unit_test(wiping_nothing_is_harmless),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
