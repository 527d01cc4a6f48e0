/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root: keys belong to root or to the signer's user. */
#include "cloud/signer/signer_key.h"

#include <errno.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static struct signer_config config;
static struct signer_key key;
static char why[SIGNER_KEY_WHY_MAX];

static const char *path(const char *name) {
        static char text[128];

        (void)snprintf(text, sizeof(text), "%s/%s", directory, name);
        return text;
}

static void write_keys(const char *type, const char *group) {
        EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, type, group);
        FILE *to;

        assert_non_null(pair);
        to = fopen(path("key.pem"), "we");
        assert_non_null(to);
        assert_int_equal(PEM_write_PrivateKey(to, pair, NULL, NULL, 0, NULL, NULL), 1);
        assert_int_equal(fclose(to), 0);
        assert_int_equal(chmod(path("key.pem"), 0400), 0);
        to = fopen(path("public.pem"), "we");
        assert_non_null(to);
        assert_int_equal(PEM_write_PUBKEY(to, pair), 1);
        assert_int_equal(fclose(to), 0);
        EVP_PKEY_free(pair);
}

static int setup(void **state) {
        (void)state;
        strcpy(directory, "/root/signer_key_test.XXXXXX");
        key = (struct signer_key){.type = ""};
        if (!mkdtemp(directory))
                return -1;
        config = (struct signer_config){.key_timeout_s = 30};
        (void)snprintf(config.key, sizeof(config.key), "%s", path("key.pem"));
        write_keys("ED25519", NULL);
        return 0;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        signer_key_close(&key);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

static void load(void) {
        signer_key_close(&key);
        if (signer_key_load(&config, &key, why) < 0)
                fail_msg("%s", why);
}

static void assert_fault(const char *what) {
        signer_key_close(&key);
        assert_true(signer_key_load(&config, &key, why) < 0);
        if (!strstr(why, what))
                fail_msg("\"%s\" should contain \"%s\"", why, what);
}

static int sign(struct envelope *ret, char ret_why[static SIGNER_WHY_MAX]) {
        assert_int_equal(envelope_make(PUSH_PAYLOAD_TYPE, "{}", 2, ret), 0);
        return signer_key_sign(&key, ret, ret_why);
}

static void file_signs_and_is_described(void **state) {
        static struct envelope envelope;
        char sign_why[SIGNER_WHY_MAX];
        json_t *object;

        (void)state;
        load();
        assert_string_equal(key.type, "ed25519");
        assert_int_equal(strlen(key.signer.key_id), 16);
        assert_memory_equal(key.pem, "-----BEGIN PUBLIC KEY-----\n", 27);
        assert_int_equal(sign(&envelope, sign_why), 0);
        object = envelope_to_json(&envelope);
        assert_string_equal(
                json_string_value(json_object_get(json_array_get(json_object_get(object, "signatures"), 0), "keyid")),
                key.signer.key_id);
        json_decref(object);
        write_keys("EC", "P-256");
        load();
        assert_string_equal(key.type, "ecdsa-p256");
        assert_int_equal(sign(&envelope, sign_why), 0);
}

static void own_id_is_used(void **state) {
        (void)state;
        strcpy(config.key_id, "rotation-2");
        load();
        assert_string_equal(key.signer.key_id, "rotation-2");
}

static void file_that_others_can_read_is_refused(void **state) {
        (void)state;
        assert_int_equal(chmod(path("key.pem"), 0404), 0);
        assert_fault("others than its owner can read or write it");
        assert_int_equal(chmod(path("key.pem"), 0420), 0);
        assert_fault("others than its owner can read or write it");
        assert_int_equal(chmod(path("key.pem"), 0440), 0);
        load();
        assert_int_equal(chown(path("key.pem"), 0, 60001), 0);
        assert_fault("others than its owner can read or write it");
        assert_int_equal(chmod(path("key.pem"), 0400), 0);
        assert_int_equal(chown(path("key.pem"), 60001, 0), 0);
        assert_fault("owned by user id 60001");
}

static void path_that_others_can_change_is_refused(void **state) {
        (void)state;
        assert_int_equal(chmod(directory, 0777), 0);
        assert_fault("others can change this directory");
        assert_int_equal(chmod(directory, 0700), 0);
        assert_int_equal(chown(directory, 60001, 0), 0);
        assert_fault("others can change this directory");
        assert_int_equal(chown(directory, 0, 0), 0);
        assert_int_equal(rename(path("key.pem"), "/root/signer_key_test.moved"), 0);
        assert_int_equal(symlink("/root/signer_key_test.moved", path("key.pem")), 0);
        assert_fault("symbolic link");
        assert_int_equal(unlink("/root/signer_key_test.moved"), 0);
}

static void what_is_no_key_is_refused(void **state) {
        (void)state;
        assert_int_equal(unlink(path("key.pem")), 0);
        assert_fault("cannot open");
        assert_int_equal(mkdir(path("key.pem"), 0700), 0);
        assert_fault("not a regular file");
        (void)snprintf(config.key, sizeof(config.key), "%s", path("public.pem"));
        assert_int_equal(chmod(path("public.pem"), 0400), 0);
        assert_fault("it is a public key");
}

static void credential_is_found_in_its_directory(void **state) {
        (void)state;
        strcpy(config.key, "credential:key.pem");
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        assert_fault("systemd passed no credentials");
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
        load();
        assert_string_equal(key.type, "ed25519");
}

static void command_signs_and_is_verified(void **state) {
        static struct envelope envelope;
        char sign_why[SIGNER_WHY_MAX];

        (void)state;
        config.key[0] = '\0';
        (void)snprintf(config.command, sizeof(config.command), "openssl pkeyutl -sign -rawin -inkey %s -in /dev/stdin",
                       path("key.pem"));
        load();
        assert_string_equal(key.pem, "");
        assert_int_equal(sign(&envelope, sign_why), 0);
        (void)snprintf(config.public_key, sizeof(config.public_key), "%s", path("public.pem"));
        load();
        assert_string_equal(key.type, "ed25519");
        assert_int_equal(sign(&envelope, sign_why), 0);
        /* Another key than the public half says. */
        write_keys("ED25519", NULL);
        assert_int_equal(sign(&envelope, sign_why), -EBADMSG);
        assert_int_equal(envelope.n_signatures, 0);
        assert_non_null(strstr(sign_why, "does not verify"));
        (void)snprintf(config.command, sizeof(config.command), "exit 3");
        load();
        assert_int_equal(sign(&envelope, sign_why), -EIO);
        (void)snprintf(config.public_key, sizeof(config.public_key), "%s", path("key.pem"));
        assert_fault("it holds no public key");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(file_signs_and_is_described),
                TEST(own_id_is_used),
                TEST(file_that_others_can_read_is_refused),
                TEST(path_that_others_can_change_is_refused),
                TEST(what_is_no_key_is_refused),
                TEST(credential_is_found_in_its_directory),
                TEST(command_signs_and_is_verified),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
