/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/exc-signer-XXXXXX";

static int make_directory(void **state) {
        (void)state;
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
        (void)state;
        return rmdir(directory);
}

/* A file of that content; the next one takes its place. */
static const char *file_of(const char *content, size_t n) {
        static char path[64];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/file", directory);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(content, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
        return path;
}

static const char *key_file(EVP_PKEY *key, const EVP_CIPHER *cipher) {
        char passphrase[] = "secret";
        const char *path;
        char *text;
        BIO *bio = BIO_new(BIO_s_mem());
        long n;

        assert_non_null(bio);
        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, cipher ? passphrase : NULL,
                                                       cipher ? (int)strlen(passphrase) : 0, NULL, NULL),
                         1);
        n = BIO_get_mem_data(bio, &text);
        path = file_of(text, (size_t)n);
        BIO_free(bio);
        return path;
}

static struct envelope envelope_of(const char *payload) {
        struct envelope envelope;

        assert_int_equal(envelope_make(PUSH_PAYLOAD_TYPE, payload, strlen(payload), &envelope), 0);
        return envelope;
}

static bool verifies_at(const struct envelope *envelope, size_t at, EVP_PKEY *key) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256";
        bool ok;

        assert_int_equal(EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key, NULL), 1);
        ok = EVP_DigestVerify(context, envelope->signatures[at].bytes, envelope->signatures[at].length, envelope->pae,
                              envelope->pae_length) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return ok;
}

static bool verifies(const struct envelope *envelope, EVP_PKEY *key) {
        return verifies_at(envelope, 0, key);
}

/* The key signs what it should, whichever file format it comes from. */
static void assert_signs(EVP_PKEY *key) {
        struct envelope envelope = envelope_of("{\"a\":1}");
        char why[SIGNER_WHY_MAX] = "";
        struct signer signer;

        if (signer_from_file(key_file(key, NULL), &signer, why) != 0 || signer_sign(&signer, &envelope, why) != 0)
                fail_msg("%s", why);
        assert_int_equal(envelope.n_signatures, 1);
        assert_true(verifies(&envelope, key));
        envelope.pae[envelope.pae_length - 1] ^= 1;
        assert_false(verifies(&envelope, key));
        signer_close(&signer);
        assert_int_equal(unlink(file_of("", 0)), 0);
}

static void assert_no_key(const char *path, int error, const char *what) {
        struct signer signer = {.command = "untouched"};
        char why[SIGNER_WHY_MAX] = "taken";

        assert_int_equal(signer_from_file(path, &signer, why), error);
        if (!strstr(why, what))
                fail_msg("not for \"%s\": %s", what, why);
        assert_string_equal(signer.command, "untouched");
        (void)unlink(path);
}

static void an_ed25519_key_signs(void **state) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

        (void)state;
        assert_signs(key);
        EVP_PKEY_free(key);
}

static void an_ecdsa_p256_key_signs(void **state) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

        (void)state;
        assert_signs(key);
        EVP_PKEY_free(key);
}

static void keys_of_other_kinds_are_refused(void **state) {
        EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
        EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);

        (void)state;
        assert_no_key(key_file(curve, NULL), -EINVAL, "neither Ed25519 nor ECDSA P-256");
        assert_no_key(key_file(rsa, NULL), -EINVAL, "neither Ed25519 nor ECDSA P-256");
        EVP_PKEY_free(curve);
        EVP_PKEY_free(rsa);
}

static void a_passphrase_is_never_asked_for(void **state) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

        (void)state;
        assert_no_key(key_file(key, EVP_aes_256_cbc()), -EINVAL, "passphrase");
        EVP_PKEY_free(key);
}

static void what_is_no_private_key_is_told_by_what_it_is(void **state) {
        static const char openssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
        static const char public[] = "-----BEGIN PUBLIC KEY-----\n"
                                     "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                     "-----END PUBLIC KEY-----\n";

        (void)state;
        assert_no_key(file_of(openssh, sizeof(openssh) - 1), -EINVAL, "OpenSSH's own format");
        assert_no_key(file_of(public, sizeof(public) - 1), -EINVAL, "public key");
        assert_no_key(file_of("", 0), -EINVAL, "no private key in PEM");
        assert_no_key(file_of("x\0y", 3), -EINVAL, "no private key in PEM");
}

static void a_file_that_cannot_be_read_is_told_with_the_reason(void **state) {
        static char large[SIGNER_KEY_FILE_MAX + 1];

        (void)state;
        assert_no_key("/nonexistent", -ENOENT, "No such file or directory");
        assert_no_key(directory, -EISDIR, "Is a directory");
        assert_no_key(file_of(large, sizeof(large)), -EINVAL, "longer than any private key");
}

/* The signature that a command leads to. */
static int run(const char *command, int timeout_ms, struct envelope *envelope, char why[static SIGNER_WHY_MAX]) {
        struct signer signer;

        signer_from_command(command, &signer);
        assert_int_equal(signer.timeout_ms, SIGNER_TIMEOUT_MS);
        if (timeout_ms > 0)
                signer.timeout_ms = timeout_ms;
        return signer_sign(&signer, envelope, why);
}

static void assert_fails(const char *command, int error, const char *what) {
        struct envelope envelope = envelope_of("{}");
        char why[SIGNER_WHY_MAX] = "done";

        assert_int_equal(run(command, 0, &envelope, why), error);
        if (!strstr(why, what))
                fail_msg("%s: not for \"%s\": %s", command, what, why);
        assert_int_equal(envelope.n_signatures, 0);
}

static void assert_signature(const char *command, const void *expected, size_t n) {
        struct envelope envelope = envelope_of("{}");
        char why[SIGNER_WHY_MAX] = "";

        if (run(command, 0, &envelope, why) != 0)
                fail_msg("%s: %s", command, why);
        assert_int_equal(envelope.n_signatures, n == 64 ? 2 : 1);
        assert_int_equal(envelope.signatures[0].length, n);
        assert_memory_equal(envelope.signatures[0].bytes, expected, n);
}

/* Of Ed25519 by its last byte, and as printf(1) writes it; and r and s of ECDSA. */
#define AT64 "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\x01"
#define PRINT64 "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\\001"
#define PAIR64 "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
#define DER "\x30\x06\x02\x01\x01\x02\x01\x01"

static void a_command_gets_the_pae_as_a_file_on_standard_input(void **state) {
        (void)state;
        assert_signature("test \"$(cat)\" = 'DSSEv1 53 " PUSH_PAYLOAD_TYPE " 2 {}' && printf '" PRINT64 "'", AT64, 64);
        assert_signature("test \"$(cat /dev/stdin)\" = \"$(cat)\" && printf '" PRINT64 "'", AT64, 64);
        assert_signature("test -f /dev/stdin && printf '" PRINT64 "'", AT64, 64);
}

static void bytes_and_base64_are_both_taken(void **state) {
        (void)state;
        assert_signature("printf '\\060\\006\\002\\001\\001\\002\\001\\001'", DER, 8);
        assert_signature("printf '\\060\\006\\002\\001\\001\\002\\001\\001' | base64", DER, 8);
        assert_signature("printf '" PRINT64 "' | base64", AT64, 64); /* two lines */
        assert_signature("printf '" PRINT64 "' | base64 -w 0", AT64, 64);
        assert_signature(
                "printf ' "
                "QEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAAQ==\r\n'",
                AT64, 64);
}

static void what_is_no_signature_is_refused(void **state) {
        (void)state;
        assert_fails("true", -EINVAL, "wrote 0 bytes that are no signature");
        assert_fails("echo error: no such key", -EINVAL, "are no signature");
        assert_fails("printf '" PRINT64 "x'", -EINVAL, "wrote 65 bytes");
        assert_fails("printf '\\060\\007\\002\\001\\001\\002\\001\\001'", -EINVAL, "wrote 8 bytes");
        assert_fails("printf '" PRINT64 "x' | base64", -EINVAL, "are no signature");
}

static void a_command_that_fails_is_not_believed(void **state) {
        (void)state;
        assert_fails("printf '" PRINT64 "'; exit 3", -EIO, "exit status 3");
        assert_fails("printf '" PRINT64 "'; kill -9 $$", -EIO, "killed by signal 9");
        assert_fails("/nonexistent/command 2>/dev/null", -EIO, "exit status 127");
}

static void output_without_end_is_refused(void **state) {
        (void)state;
        assert_fails("yes", -EINVAL, "more than 4096 bytes");
        assert_fails("head -c 4097 /dev/zero", -EINVAL, "more than 4096 bytes");
        assert_fails("head -c 4096 /dev/zero", -EINVAL, "wrote 4096 bytes");
}

static void a_command_that_does_not_read_does_no_harm(void **state) {
        (void)state;
        assert_signature("exec <&-; printf '" PRINT64 "'", AT64, 64);
}

/* Its number is in a file, since standard output is the signature's. */
static void a_command_that_does_not_end_is_killed_with_what_it_started(void **state) {
        struct envelope envelope = envelope_of("{}");
        char why[SIGNER_WHY_MAX] = "", expected[64], command[256], process[64], line[64] = "";
        const char *path = file_of("", 0);
        FILE *file;
        long pid;

        (void)state;
        (void)snprintf(command, sizeof(command), "sh -c 'echo $$ >%s; exec sleep 1000' | cat", path);
        /* With a deadline that leaves it the time to start, however busy the machine is. */
        for (int timeout_ms = 100; line[0] == '\0' && timeout_ms < 60 * 1000; timeout_ms *= 2) {
                assert_int_equal(run(command, timeout_ms, &envelope, why), -ETIMEDOUT);
                (void)snprintf(expected, sizeof(expected), "the command did not end within %g s", timeout_ms / 1e3);
                assert_string_equal(why, expected);
                file = fopen(path, "re");
                assert_non_null(file);
                if (!fgets(line, sizeof(line), file))
                        line[0] = '\0';
                (void)fclose(file);
        }
        pid = strtol(line, NULL, 10);
        assert_true(pid > 1);
        /* It was killed; until its new parent has reaped it, it may still be there as a zombie. */
        (void)snprintf(process, sizeof(process), "/proc/%ld/cmdline", pid);
        for (file = fopen(process, "re"); file && fgetc(file) != EOF; file = fopen(process, "re")) {
                (void)fclose(file);
                (void)usleep(1000);
        }
        if (file)
                (void)fclose(file);
        assert_int_equal(unlink(path), 0);
}

static void a_command_that_closes_its_output_must_end_too(void **state) {
        struct envelope envelope = envelope_of("{}");
        char why[SIGNER_WHY_MAX] = "";

        (void)state;
        assert_int_equal(run("exec >&-; exec sleep 1000", 300, &envelope, why), -ETIMEDOUT);
}

static void a_command_has_no_terminal_and_default_signals(void **state) {
        (void)state;
        /* Field 7 of stat is the controlling terminal. */
        assert_signature("test \"$(cut -d' ' -f7 </proc/$$/stat)\" = 0 && printf '" PRINT64 "'", AT64, 64);
        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        assert_fails("kill -PIPE $$", -EIO, "killed by signal 13");
        assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
}

static void an_envelope_that_is_full_gets_no_signature(void **state) {
        struct envelope envelope = envelope_of("{}");
        char why[SIGNER_WHY_MAX] = "";

        (void)state;
        for (int i = 0; i < ENVELOPE_SIGNATURES_MAX; i++)
                assert_int_equal(run("printf '" PAIR64 "'", 0, &envelope, why), 0);
        assert_int_equal(run("printf '" PAIR64 "'", 0, &envelope, why), -E2BIG);
        assert_int_equal(envelope.n_signatures, ENVELOPE_SIGNATURES_MAX);
}

/* --- forms of a signature ---------------------------------------------------------------------------------------- */

static size_t sign_bytes(EVP_PKEY *key, const void *bytes, size_t length, uint8_t ret[static 72]) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t n = 72;

        assert_int_equal(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL), 1);
        assert_int_equal(EVP_DigestSign(context, ret, &n, bytes, length), 1);
        EVP_MD_CTX_free(context);
        return n;
}

/* As JOSE and PKCS #11 have it. */
static void pair_of(const uint8_t *der, size_t n, uint8_t ret[static 64]) {
        ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long)n);

        assert_non_null(parts);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parts), ret, 32), 32);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parts), ret + 32, 32), 32);
        ECDSA_SIG_free(parts);
}

/* A command writes these bytes; where the public half is known, the signer has it. */
static int sign_as(const uint8_t *bytes, size_t n, EVP_PKEY *public_half, struct envelope *envelope,
                   char why[static SIGNER_WHY_MAX]) {
        struct signer signer;
        char command[128];
        int r;

        (void)snprintf(command, sizeof(command), "cat %s", file_of((const char *)bytes, n));
        signer_from_command(command, &signer);
        signer.public_half = public_half;
        *envelope = envelope_of("{}");
        r = signer_sign(&signer, envelope, why);
        (void)unlink(file_of("", 0));
        return r;
}

static void r_and_s_are_sent_in_der(void **state) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        struct envelope envelope = envelope_of("{}");
        bool surely = false, perhaps = false;

        (void)state;
        while (!surely || !perhaps) {
                char why[SIGNER_WHY_MAX] = "";
                uint8_t der[72], pair[64];
                size_t n;

                envelope = envelope_of("{}");
                n = sign_bytes(key, envelope.pae, envelope.pae_length, der);
                pair_of(der, n, pair);
                if (pair[63] <= 0x10 ? perhaps : surely)
                        continue;
                assert_int_equal(sign_as(pair, 64, NULL, &envelope, why), 0);
                assert_int_equal(envelope.n_signatures, pair[63] <= 0x10 ? 2 : 1);
                assert_true(verifies_at(&envelope, envelope.n_signatures - 1, key));
                /* Where the key is known there is no doubt. */
                assert_int_equal(sign_as(pair, 64, key, &envelope, why), 0);
                assert_int_equal(envelope.n_signatures, 1);
                assert_true(verifies(&envelope, key));
                assert_int_equal(sign_as(der, n, key, &envelope, why), 0);
                assert_true(verifies(&envelope, key));
                perhaps = perhaps || pair[63] <= 0x10;
                surely = surely || pair[63] > 0x10;
        }
        EVP_PKEY_free(key);
}

static void a_signature_that_does_not_verify_is_explained(void **state) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                 *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                 *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        struct envelope envelope = envelope_of("{}");
        unsigned char digest[32];
        char why[SIGNER_WHY_MAX];
        uint8_t der[72], pair[64];
        size_t n;

        (void)state;
        assert_int_equal(EVP_Digest(envelope.pae, envelope.pae_length, digest, NULL, EVP_sha256(), NULL), 1);
        n = sign_bytes(key, digest, sizeof(digest), der);
        assert_int_equal(sign_as(der, n, key, &envelope, why), -EBADMSG);
        assert_int_equal(envelope.n_signatures, 0);
        assert_non_null(strstr(why, "hash once less"));
        pair_of(der, n, pair);
        assert_int_equal(sign_as(pair, 64, key, &envelope, why), -EBADMSG);
        assert_non_null(strstr(why, "hash once less"));
        n = sign_bytes(key, envelope.pae, envelope.pae_length, der);
        assert_int_equal(sign_as(der, n, other, &envelope, why), -EBADMSG);
        assert_non_null(strstr(why, "does not verify with the public key"));
        assert_int_equal(sign_as(der, n, ed25519, &envelope, why), -EBADMSG);
        assert_non_null(strstr(why, "one of ECDSA, and the public key is Ed25519"));
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
        EVP_PKEY_free(ed25519);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_ed25519_key_signs),
                cmocka_unit_test(an_ecdsa_p256_key_signs),
                cmocka_unit_test(keys_of_other_kinds_are_refused),
                cmocka_unit_test(a_passphrase_is_never_asked_for),
                cmocka_unit_test(what_is_no_private_key_is_told_by_what_it_is),
                cmocka_unit_test(a_file_that_cannot_be_read_is_told_with_the_reason),
                cmocka_unit_test(a_command_gets_the_pae_as_a_file_on_standard_input),
                cmocka_unit_test(bytes_and_base64_are_both_taken),
                cmocka_unit_test(what_is_no_signature_is_refused),
                cmocka_unit_test(r_and_s_are_sent_in_der),
                cmocka_unit_test(a_signature_that_does_not_verify_is_explained),
                cmocka_unit_test(a_command_that_fails_is_not_believed),
                cmocka_unit_test(output_without_end_is_refused),
                cmocka_unit_test(a_command_that_does_not_read_does_no_harm),
                cmocka_unit_test(a_command_that_does_not_end_is_killed_with_what_it_started),
                cmocka_unit_test(a_command_that_closes_its_output_must_end_too),
                cmocka_unit_test(a_command_has_no_terminal_and_default_signals),
                cmocka_unit_test(an_envelope_that_is_full_gets_no_signature),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
