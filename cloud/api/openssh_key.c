/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/openssh_key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <string.h>

#include "common/base64.h"
#include "common/bytes.h"

#define MAGIC "openssh-key-v1" /* its NUL belongs to it */
#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END "-----END OPENSSH PRIVATE KEY-----\n"

enum {
        ED25519_SIZE = 32,
        PADDED_TO = 8, /* the block size of the cipher "none" */
        LINE_BYTES = 48,
        MPINT_MAX = SSH_KEY_RSA_BITS_MAX / 8 + 1,
        PRIVATE_MAX = 6 * (MPINT_MAX + 4) + 64, /* RSA: n, e, d, iqmp, p, q */
        WHOLE_MAX = PRIVATE_MAX + SSH_KEY_BLOB_MAX + 64,
};

static bool is_rsa(EVP_PKEY *key) {
        return EVP_PKEY_is_a(key, "RSA") == 1;
}

static int check_type(EVP_PKEY *key) {
        int bits = EVP_PKEY_get_bits(key);

        if (EVP_PKEY_is_a(key, "ED25519") == 1)
                return 0;
        return is_rsa(key) && bits >= SSH_KEY_RSA_BITS_MIN && bits <= SSH_KEY_RSA_BITS_MAX ? 0 : -EOPNOTSUPP;
}

/* A non-negative number (RFC 4251 section 5, mpint). False where the key has no such part. */
static bool put_number(struct writer *to, EVP_PKEY *key, const char *name) {
        uint8_t raw[1 + MPINT_MAX] = {0};
        BIGNUM *number = NULL;
        bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_num_bytes(number) <= MPINT_MAX;

        if (ok) {
                int n = BN_bn2bin(number, raw + 1);
                bool negative = n > 0 && (raw[1] & 0x80) != 0; /* without a zero before it */

                writer_string(to, raw + !negative, (size_t)n + negative);
        }
        BN_clear_free(number);
        OPENSSL_cleanse(raw, sizeof(raw));
        return ok;
}

static bool put_public(struct writer *to, EVP_PKEY *key) {
        uint8_t raw[ED25519_SIZE];
        size_t n = sizeof(raw);

        if (is_rsa(key)) { /* RFC 4253 section 6.6 */
                writer_text(to, ssh_key_type_name(SSH_KEY_RSA));
                return put_number(to, key, OSSL_PKEY_PARAM_RSA_E) && put_number(to, key, OSSL_PKEY_PARAM_RSA_N);
        }
        writer_text(to, ssh_key_type_name(SSH_KEY_ED25519)); /* RFC 8709 section 4 */
        if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1)
                return false;
        writer_string(to, raw, n);
        return true;
}

static bool put_rsa(struct writer *to, EVP_PKEY *key) {
        static const char *const parts[] = {OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,
                                            OSSL_PKEY_PARAM_RSA_D,       OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
                                            OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};

        writer_text(to, ssh_key_type_name(SSH_KEY_RSA));
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (!put_number(to, key, parts[i]))
                        return false;
        return true;
}

static bool put_ed25519(struct writer *to, EVP_PKEY *key) {
        uint8_t both[2 * ED25519_SIZE];
        size_t n_seed = ED25519_SIZE, n_public = ED25519_SIZE;
        bool ok = EVP_PKEY_get_raw_private_key(key, both, &n_seed) == 1 &&
                  EVP_PKEY_get_raw_public_key(key, both + ED25519_SIZE, &n_public) == 1 && n_seed == ED25519_SIZE &&
                  n_public == ED25519_SIZE;

        if (ok) {
                writer_text(to, ssh_key_type_name(SSH_KEY_ED25519));
                writer_string(to, both + ED25519_SIZE, ED25519_SIZE);
                writer_string(to, both, sizeof(both));
        }
        OPENSSL_cleanse(both, sizeof(both));
        return ok;
}

/* The section that a passphrase would encrypt. */
static bool put_private(struct writer *to, EVP_PKEY *key) {
        uint8_t check[4];

        if (RAND_bytes(check, sizeof(check)) != 1)
                return false;
        writer_put(to, check, sizeof(check));
        writer_put(to, check, sizeof(check));
        if (!(is_rsa(key) ? put_rsa(to, key) : put_ed25519(to, key)))
                return false;
        writer_text(to, ""); /* the comment */
        for (uint8_t pad = 1; to->used % PADDED_TO != 0 && !to->full; pad++)
                writer_u8(to, pad);
        return !to->full;
}

static bool put_whole(struct writer *to, EVP_PKEY *key) {
        uint8_t public_half[SSH_KEY_BLOB_MAX], private_half[PRIVATE_MAX];
        struct writer to_public = {.data = public_half, .size = sizeof(public_half)};
        struct writer to_private = {.data = private_half, .size = sizeof(private_half)};
        bool ok = put_public(&to_public, key) && !to_public.full && put_private(&to_private, key);

        if (ok) {
                writer_put(to, MAGIC, sizeof(MAGIC));
                writer_text(to, "none"); /* the cipher */
                writer_text(to, "none"); /* the key derivation, and its options */
                writer_text(to, "");
                writer_u32(to, 1); /* key */
                writer_string(to, public_half, to_public.used);
                writer_string(to, private_half, to_private.used);
        }
        OPENSSL_cleanse(private_half, sizeof(private_half));
        return ok && !to->full;
}

static int to_text(const uint8_t *bytes, size_t n, struct openssh_key *ret) {
        size_t lines = (n + LINE_BYTES - 1) / LINE_BYTES;
        size_t length = strlen(BEGIN) + BASE64_LENGTH(n) + lines + strlen(END);
        char *text = OPENSSL_secure_malloc(length + 1), *at;

        if (!text)
                return -ENOMEM;
        at = stpcpy(text, BEGIN);
        for (size_t done = 0; done < n; done += LINE_BYTES) {
                size_t part = n - done < LINE_BYTES ? n - done : LINE_BYTES;

                base64_encode(bytes + done, part, at);
                at += BASE64_LENGTH(part);
                *at++ = '\n';
        }
        (void)stpcpy(at, END);
        *ret = (struct openssh_key){.text = text, .length = length};
        return 0;
}

int openssh_key_public(EVP_PKEY *key, struct ssh_key *ret) {
        uint8_t blob[SSH_KEY_BLOB_MAX];
        struct writer to = {.data = blob, .size = sizeof(blob)};
        int r = check_type(key);

        if (r == 0 && (!put_public(&to, key) || to.full || ssh_key_from_blob(blob, to.used, ret) != SSH_KEY_OK))
                r = -EIO;
        ERR_clear_error();
        return r;
}

int openssh_key_private(EVP_PKEY *key, struct openssh_key *ret) {
        uint8_t whole[WHOLE_MAX];
        struct writer to = {.data = whole, .size = sizeof(whole)};
        int r = check_type(key);

        if (r == 0)
                r = put_whole(&to, key) ? to_text(whole, to.used, ret) : -EIO;
        OPENSSL_cleanse(whole, to.used);
        ERR_clear_error();
        return r;
}

void openssh_key_wipe(struct openssh_key *key) {
        if (key->text)
                OPENSSL_secure_clear_free(key->text, key->length + 1);
        *key = (struct openssh_key){.text = NULL};
}
