/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/key_pair.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sys/random.h>

#include "common/bytes.h"

enum { PUBLIC_SIZE = 32, PRIVATE_SIZE = 32 };

static bool take_public_half(EVP_PKEY *key, struct ssh_key *ret) {
        uint8_t raw[PUBLIC_SIZE], blob[64];
        struct writer to = {.data = blob, .size = sizeof(blob)};
        size_t n = sizeof(raw);

        if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1)
                return false;
        writer_text(&to, ssh_key_type_name(SSH_KEY_ED25519)); /* RFC 8709 section 4 */
        writer_string(&to, raw, n);
        return !to.full && ssh_key_from_blob(blob, to.used, ret) == SSH_KEY_OK;
}

/* 32 random bytes (RFC 8032 section 5.1.5), of the kernel: to set up OpenSSL's generator takes longer than all the rest. */
static EVP_PKEY *make_private_half(void) {
        uint8_t *raw = OPENSSL_secure_malloc(PRIVATE_SIZE);
        EVP_PKEY *key = NULL;

        if (raw && getrandom(raw, PRIVATE_SIZE, 0) == PRIVATE_SIZE)
                key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, PRIVATE_SIZE);
        OPENSSL_secure_clear_free(raw, PRIVATE_SIZE);
        return key;
}

int key_pair_make(struct key_pair *ret) {
        EVP_PKEY *key = make_private_half();
        struct ssh_key public_half;

        if (!key || !take_public_half(key, &public_half)) {
                EVP_PKEY_free(key);
                ERR_clear_error();
                return -EIO;
        }
        *ret = (struct key_pair){.private_half = key, .public_half = public_half};
        return 0;
}

int key_pair_sign(const struct key_pair *pair, const uint8_t *bytes, size_t n,
                  uint8_t ret[static KEY_PAIR_SIGNATURE_SIZE]) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t length = KEY_PAIR_SIGNATURE_SIZE;
        bool ok;

        ok = context && EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, pair->private_half, NULL) == 1 &&
             EVP_DigestSign(context, ret, &length, bytes, n) == 1 && length == KEY_PAIR_SIGNATURE_SIZE;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return ok ? 0 : -EIO;
}

void key_pair_wipe(struct key_pair *pair) {
        EVP_PKEY_free(pair->private_half); /* which clears the private half (OPENSSL_secure_clear_free(3)) */
        OPENSSL_cleanse(pair, sizeof(*pair));
        *pair = (struct key_pair){.private_half = NULL};
}
