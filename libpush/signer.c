/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "libpush/sign_command.h"
#include "wire/key_id.h"

__attribute__((format(printf, 3, 4))) static int fail(char why[static SIGNER_WHY_MAX], int error, const char *format,
                                                      ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(why, SIGNER_WHY_MAX, format, arguments);
        va_end(arguments);
        return error;
}

static int read_fd(int fd, uint8_t *dst, size_t size, size_t *ret_length, char why[static SIGNER_WHY_MAX]) {
        size_t used = 0;
        ssize_t n = 1;

        while (n > 0 && used < size) {
                n = read(fd, dst + used, size - used);
                if (n > 0)
                        used += (size_t)n;
                else if (n < 0 && errno == EINTR)
                        n = 1;
                else if (n < 0)
                        return fail(why, -errno, "cannot read it: %s", strerror(errno));
        }
        if (used == size)
                return fail(why, -EINVAL, "it is longer than any private key; give a PEM file with the key alone");
        *ret_length = used;
        return 0;
}

/* Without one OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *dst, int size, int writing, void *context) {
        bool *asked = context;

        (void)dst;
        (void)size;
        (void)writing;
        *asked = true;
        return -1;
}

static bool is_p256(const EVP_PKEY *key) {
        char group[32];
        size_t n;

        return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
               strcmp(group, "prime256v1") == 0;
}

/* Common mistakes, each with its next step. */
static const char *not_a_key(const uint8_t *text, size_t length, bool passphrase) {
        if (passphrase)
                return "it has a passphrase; give it without, from a place that is safe, or sign with --sign-command";
        if (memmem(text, length, "BEGIN OPENSSH PRIVATE KEY", 25))
                return "it is in OpenSSH's own format; make a PEM key with: openssl genpkey -algorithm ed25519";
        if (memmem(text, length, "BEGIN PUBLIC KEY", 16))
                return "it is a public key, as the guests have it; give the private key";
        return "it holds no private key in PEM; make one with: openssl genpkey -algorithm ed25519";
}

static int parse_key(const uint8_t *text, size_t length, EVP_PKEY **ret, char why[static SIGNER_WHY_MAX]) {
        BIO *bio = BIO_new_mem_buf(text, (int)length);
        bool passphrase = false;
        EVP_PKEY *key;

        if (!bio)
                return fail(why, -ENOMEM, "out of memory");
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &passphrase);
        BIO_free(bio);
        ERR_clear_error();
        if (!key)
                return fail(why, -EINVAL, "%s", not_a_key(text, length, passphrase));
        if (!EVP_PKEY_is_a(key, "ED25519") && !is_p256(key)) {
                EVP_PKEY_free(key);
                return fail(why, -EINVAL,
                            "it is neither Ed25519 nor ECDSA P-256; make a key with: openssl genpkey -algorithm "
                            "ed25519");
        }
        *ret = key;
        return 0;
}

int signer_from_fd(int fd, struct signer *ret, char ret_why[static SIGNER_WHY_MAX]) {
        uint8_t text[SIGNER_KEY_FILE_MAX + 1];
        EVP_PKEY *key = NULL;
        size_t length = 0;
        int r;

        r = read_fd(fd, text, sizeof(text), &length, ret_why);
        if (r == 0)
                r = parse_key(text, length, &key, ret_why);
        OPENSSL_cleanse(text, sizeof(text));
        if (r < 0)
                return r;
        *ret = (struct signer){.key = key};
        (void)key_id_of(key, ret->key_id);
        return 0;
}

int signer_from_file(const char *path, struct signer *ret, char ret_why[static SIGNER_WHY_MAX]) {
        int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC), r;

        if (fd < 0) {
                r = -errno;
                return fail(ret_why, r, "cannot open it: %s", strerror(-r));
        }
        r = signer_from_fd(fd, ret, ret_why);
        (void)close(fd);
        return r;
}

void signer_from_command(const char *command, struct signer *ret) {
        *ret = (struct signer){.command = command, .timeout_ms = SIGNER_TIMEOUT_MS};
}

static int sign_with_key(EVP_PKEY *key, const struct envelope *envelope, struct signature *ret,
                         char why[static SIGNER_WHY_MAX]) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok;

        ret->length = sizeof(ret->bytes);
        /* Ed25519 has its own digest (RFC 8032); ECDSA signatures come in DER. */
        ok = context &&
             EVP_DigestSignInit_ex(context, NULL, EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256", NULL, NULL, key,
                                   NULL) == 1 &&
             EVP_DigestSign(context, ret->bytes, &ret->length, envelope->pae, envelope->pae_length) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return ok ? 0 : fail(why, -EIO, "OpenSSL cannot sign with this key");
}

/* An Ed25519 signature has 64 bytes (RFC 8032); one of ECDSA P-256 is a short DER sequence (RFC 3279 section 2.2.3). */
static bool signature_shaped(const uint8_t *bytes, size_t n) {
        return n == 64 || (n >= 8 && n <= 72 && bytes[0] == 0x30 && bytes[1] == n - 2);
}

static bool white(uint8_t c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Base64 of a signature, in lines of any length. */
static bool take_base64(const uint8_t *output, size_t n, struct signature *ret) {
        char text[SIGNER_OUTPUT_MAX];
        size_t used = 0;

        for (size_t i = 0; i < n; i++)
                if (!white(output[i]))
                        text[used++] = (char)output[i];
        return base64_decode(text, used, ret->bytes, sizeof(ret->bytes), &ret->length) &&
               signature_shaped(ret->bytes, ret->length);
}

static int sign_with_command(const struct signer *signer, const struct envelope *envelope, struct signature *ret,
                             char why[static SIGNER_WHY_MAX]) {
        uint8_t output[SIGNER_OUTPUT_MAX];
        size_t n;
        int r;

        r = sign_command_run(signer->command, signer->timeout_ms, envelope->pae, envelope->pae_length, output, &n, why);
        if (r < 0)
                return r;
        if (take_base64(output, n, ret))
                return 0;
        if (!signature_shaped(output, n))
                return fail(
                        why, -EINVAL,
                        "the command wrote %zu bytes that are no signature: 64 bytes of Ed25519, or ECDSA in DER, as "
                        "they are or in base64",
                        n);
        memcpy(ret->bytes, output, n);
        ret->length = n;
        return 0;
}

int signer_sign(const struct signer *signer, struct envelope *envelope, char ret_why[static SIGNER_WHY_MAX]) {
        struct signature signature;
        int r;

        if (signer->key)
                r = sign_with_key(signer->key, envelope, &signature, ret_why);
        else
                r = sign_with_command(signer, envelope, &signature, ret_why);
        if (r < 0)
                return r;
        if (envelope_add_signature(envelope, signature.bytes, signature.length) < 0)
                return fail(ret_why, -E2BIG, "an envelope has at most %d signatures", ENVELOPE_SIGNATURES_MAX);
        memcpy(envelope->signatures[envelope->n_signatures - 1].keyid, signer->key_id, sizeof(signer->key_id));
        return 0;
}

void signer_close(struct signer *signer) {
        EVP_PKEY_free(signer->key);
        *signer = (struct signer){.key = NULL};
}
