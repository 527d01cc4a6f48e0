/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
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

/*
 * An Ed25519 signature has 64 bytes (RFC 8032); one of ECDSA P-256 is a short DER sequence (RFC 3279 section 2.2.3), or r and
 * s in 64 bytes.
 */
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
                        "the command wrote %zu bytes that are no signature: 64 bytes of Ed25519 or of ECDSA P-256 (r "
                        "and s), or ECDSA in DER, as they are or in base64",
                        n);
        memcpy(ret->bytes, output, n);
        ret->length = n;
        return 0;
}

/* --- which form it is --------------------------------------------------------------------------------------------- */

/*
 * Of 64 bytes as r and s side by side, each in 32 bytes, as JOSE (RFC 7518 section 3.4), PKCS #11 and some key-management
 * services write an ECDSA P-256 signature.
 */
static bool der_of_pair(const struct signature *pair, struct signature *ret) {
        ECDSA_SIG *parts = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(pair->bytes, 32, NULL), *s = BN_bin2bn(pair->bytes + 32, 32, NULL);
        unsigned char *to = ret->bytes;
        int n = -1;

        if (parts && r && s && ECDSA_SIG_set0(parts, r, s) == 1) {
                r = s = NULL; /* transferred */
                n = i2d_ECDSA_SIG(parts, &to);
        }
        ECDSA_SIG_free(parts);
        BN_free(r);
        BN_free(s);
        ret->length = n > 0 ? (size_t)n : 0;
        return n > 0;
}

/* Its second half is a number below 2^252 + 2^125, the last byte first (RFC 8032 section 5.1.7). */
static bool may_be_ed25519(const struct signature *signature) {
        return signature->length == 64 && signature->bytes[63] <= 0x10;
}

static bool verifies(EVP_PKEY *key, const struct signature *signature, const uint8_t *bytes, size_t length) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok;

        ok = context &&
             EVP_DigestVerifyInit_ex(context, NULL, EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256", NULL, NULL, key,
                                     NULL) == 1 &&
             EVP_DigestVerify(context, signature->bytes, signature->length, bytes, length) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return ok;
}

/* Takes the form that the public half is for, and says what is wrong with it. */
static int check(EVP_PKEY *key, const struct envelope *envelope, struct signature *signature,
                 char why[static SIGNER_WHY_MAX]) {
        bool is_ed25519 = EVP_PKEY_is_a(key, "ED25519");
        struct signature pair = *signature;
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        if (!is_ed25519 && pair.length == 64 && !der_of_pair(&pair, signature))
                return fail(why, -ENOMEM, "out of memory");
        if (verifies(key, signature, envelope->pae, envelope->pae_length))
                return 0;
        if (is_ed25519 && !may_be_ed25519(signature))
                return fail(why, -EBADMSG, "the signature is one of ECDSA, and the public key is Ed25519");
        if (EVP_Digest(envelope->pae, envelope->pae_length, digest, &n, EVP_sha256(), NULL) == 1 &&
            verifies(key, signature, digest, n))
                return fail(
                        why, -EBADMSG,
                        "the command signs the SHA-256 of what it gets as if that were the message: hash once less");
        return fail(
                why, -EBADMSG,
                "the signature does not verify with the public key: the command has another key, or signs other bytes");
}

int signer_sign(const struct signer *signer, struct envelope *envelope, char ret_why[static SIGNER_WHY_MAX]) {
        struct signature form[2];
        size_t n = 1;
        int r;

        if (signer->key)
                r = sign_with_key(signer->key, envelope, &form[0], ret_why);
        else
                r = sign_with_command(signer, envelope, &form[0], ret_why);
        if (r == 0 && signer->public_half)
                r = check(signer->public_half, envelope, &form[0], ret_why);
        else if (r == 0 && !signer->key && form[0].length == 64 && der_of_pair(&form[0], &form[1])) {
                /* Nothing tells the two forms apart: a guest takes the one that verifies. */
                n = 2;
                if (!may_be_ed25519(&form[0]))
                        form[0] = form[--n];
        }
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = envelope_add_signature(envelope, form[i].bytes, form[i].length);
                if (r < 0)
                        return fail(ret_why, r, "an envelope has at most %d signatures", ENVELOPE_SIGNATURES_MAX);
                memcpy(envelope->signatures[envelope->n_signatures - 1].keyid, signer->key_id, sizeof(signer->key_id));
        }
        return r;
}

void signer_close(struct signer *signer) {
        EVP_PKEY_free(signer->key);
        *signer = (struct signer){.key = NULL};
}
