/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/key_pair_read.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "common/base64.h"
#include "common/bytes.h"

#define MAGIC "openssh-key-v1" /* its NUL belongs to it */
#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END "-----END OPENSSH PRIVATE KEY-----\n"

enum { HALF_SIZE = 32 }; /* RFC 8032: of the seed, and of the public half */

static bool is_text(struct bytes string, const char *text) {
        return bytes_equal(string, text, strlen(text));
}

/* The base64 between the first line and the last, without line breaks. False where that is not all of the text. */
static bool take_base64(const char *text, size_t n, char *to, size_t *ret) {
        size_t begin = strlen(BEGIN), end = strlen(END), used = 0;

        if (n < begin + end || n > KEY_PAIR_TEXT_MAX || memcmp(text, BEGIN, begin) != 0 ||
            memcmp(text + n - end, END, end) != 0)
                return false;
        for (size_t i = begin; i < n - end; i++)
                if (text[i] != '\n')
                        to[used++] = text[i];
        *ret = used;
        return true;
}

/* "ssh-ed25519" and the public half. */
static bool take_public(struct bytes *from, struct bytes *ret) {
        struct bytes type;

        return bytes_string(from, &type) && is_text(type, ssh_key_type_name(SSH_KEY_ED25519)) &&
               bytes_string(from, ret) && ret->left == HALF_SIZE;
}

/* The comment is dropped. What fills the last block of the cipher "none" counts from 1. */
static bool take_private(struct bytes from, struct bytes *ret_public, struct bytes *ret_private) {
        struct bytes comment;
        uint32_t check, again;
        uint8_t padding;

        if (!bytes_u32(&from, &check) || !bytes_u32(&from, &again) || check != again ||
            !take_public(&from, ret_public) || !bytes_string(&from, ret_private) ||
            ret_private->left != 2 * HALF_SIZE || !bytes_string(&from, &comment))
                return false;
        for (uint8_t i = 1; bytes_u8(&from, &padding); i++)
                if (padding != i || i > 8)
                        return false;
        return true;
}

/* The seed of the one key, where everything agrees about its public half. */
static bool take_seed(struct bytes from, struct bytes *ret_seed, struct bytes *ret_public) {
        struct bytes magic, cipher, derivation, options, outer, secret, again, of_private;
        uint32_t n;

        return bytes_slice(&from, sizeof(MAGIC), &magic) && bytes_equal(magic, MAGIC, sizeof(MAGIC)) &&
               bytes_string(&from, &cipher) && is_text(cipher, "none") && bytes_string(&from, &derivation) &&
               is_text(derivation, "none") && bytes_string(&from, &options) && options.left == 0 &&
               bytes_u32(&from, &n) && n == 1 && bytes_string(&from, &outer) && bytes_string(&from, &secret) &&
               from.left == 0 && take_public(&outer, ret_public) && outer.left == 0 &&
               take_private(secret, &again, &of_private) && bytes_equal(again, ret_public->at, HALF_SIZE) &&
               bytes_slice(&of_private, HALF_SIZE, ret_seed) && bytes_equal(of_private, ret_public->at, HALF_SIZE);
}

static int make(struct bytes seed, struct bytes public_half, struct key_pair *ret) {
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.at, seed.left);
        uint8_t raw[HALF_SIZE], blob[64];
        struct writer to = {.data = blob, .size = sizeof(blob)};
        size_t n = sizeof(raw);
        int r = -EIO;

        if (key && EVP_PKEY_get_raw_public_key(key, raw, &n) == 1) {
                writer_text(&to, ssh_key_type_name(SSH_KEY_ED25519)); /* RFC 8709 section 4 */
                writer_string(&to, raw, n);
                r = bytes_equal(public_half, raw, n) &&
                                    ssh_key_from_blob(blob, to.used, &ret->public_half) == SSH_KEY_OK
                            ? 0
                            : -EINVAL;
        }
        if (r == 0)
                ret->private_half = key;
        else
                EVP_PKEY_free(key);
        ERR_clear_error();
        return r;
}

int key_pair_read(const char *text, size_t n, struct key_pair *ret) {
        struct bytes whole, seed, public_half;
        uint8_t bytes[KEY_PAIR_TEXT_MAX];
        char base64[KEY_PAIR_TEXT_MAX];
        size_t length = 0;
        int r = -EINVAL;

        if (take_base64(text, n, base64, &length) && base64_decode(base64, length, bytes, sizeof(bytes), &length)) {
                whole = (struct bytes){bytes, length};
                if (take_seed(whole, &seed, &public_half))
                        r = make(seed, public_half, ret);
        }
        OPENSSL_cleanse(bytes, sizeof(bytes));
        OPENSSL_cleanse(base64, sizeof(base64));
        return r;
}
