/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/token/token.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include "common/base64.h"
#include "common/bytes.h"

#define TOKEN_PREFIX "exc_"
#define SESSION_PREFIX "cs_"

enum { SECRET_SIZE = 32 }; /* bytes */

static const char id_alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int random_bytes(void *dst, size_t n) {
        /* Up to 256 bytes are never interrupted (getrandom(2)). */
        return getrandom(dst, n, 0) == (ssize_t)n ? 0 : -EIO;
}

static int hash(const void *data, size_t n, uint8_t ret[static CLOUD_HASH_SIZE]) {
        return EVP_Digest(data, n, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

/* Without a NUL. */
static int make_secret(char ret[static CLOUD_SECRET_LENGTH]) {
        char text[BASE64_LENGTH(SECRET_SIZE) + 1];
        uint8_t raw[SECRET_SIZE];

        if (random_bytes(raw, sizeof(raw)) < 0)
                return -EIO;
        base64_encode(raw, sizeof(raw), text);
        for (size_t i = 0; i < CLOUD_SECRET_LENGTH; i++)
                ret[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        OPENSSL_cleanse(raw, sizeof(raw));
        OPENSSL_cleanse(text, sizeof(text));
        return 0;
}

static int make_id(char ret[static CLOUD_TOKEN_ID_LENGTH]) {
        enum { N = sizeof(id_alphabet) - 1, LIMIT = 256 / N * N };
        size_t used = 0;
        uint8_t raw[32];

        while (used < CLOUD_TOKEN_ID_LENGTH) {
                if (random_bytes(raw, sizeof(raw)) < 0)
                        return -EIO;
                /* Bytes from LIMIT on would make some characters more likely than others. */
                for (size_t i = 0; i < sizeof(raw) && used < CLOUD_TOKEN_ID_LENGTH; i++)
                        if (raw[i] < LIMIT)
                                ret[used++] = id_alphabet[raw[i] % N];
        }
        return 0;
}

/* No strspn(3) and no memchr(3) over a NUL: `text` is of that many bytes, whatever they are. */
static bool made_of(struct bytes text, const char *alphabet) {
        for (size_t i = 0; i < text.left; i++)
                if (text.at[i] == '\0' || !strchr(alphabet, text.at[i]))
                        return false;
        return true;
}

/* 43 characters carry 258 bits, of which the last two are zero: one text for each secret. */
static bool secret_valid(struct bytes text) {
        return text.left == CLOUD_SECRET_LENGTH && made_of(text, base64url) &&
               (strchr(base64url, text.at[text.left - 1]) - base64url) % 4 == 0;
}

static bool take_word(struct bytes *from, const char *word) {
        struct bytes slice;

        return bytes_slice(from, strlen(word), &slice) && bytes_equal(slice, word, strlen(word));
}

int cloud_token_make(char ret_text[static CLOUD_TOKEN_MAX], struct cloud_token *ret) {
        char text[CLOUD_TOKEN_MAX] = TOKEN_PREFIX;
        struct cloud_token token = {.id = ""};
        char *secret = text + CLOUD_TOKEN_LENGTH - CLOUD_SECRET_LENGTH;
        int r;

        r = make_id(token.id);
        if (r >= 0)
                r = make_secret(secret);
        if (r >= 0)
                r = hash(secret, CLOUD_SECRET_LENGTH, token.secret_hash);
        if (r >= 0) {
                memcpy(text + strlen(TOKEN_PREFIX), token.id, CLOUD_TOKEN_ID_LENGTH);
                secret[-1] = '_';
                memcpy(ret_text, text, sizeof(text));
                *ret = token;
        }
        OPENSSL_cleanse(text, sizeof(text));
        return r;
}

bool cloud_token_parse(const char *text, size_t length, struct cloud_token *ret) {
        struct bytes rest = {(const uint8_t *)text, length}, id;
        struct cloud_token token = {.id = ""};

        if (length != CLOUD_TOKEN_LENGTH || !take_word(&rest, TOKEN_PREFIX) ||
            !bytes_slice(&rest, CLOUD_TOKEN_ID_LENGTH, &id) || !made_of(id, id_alphabet) || !take_word(&rest, "_") ||
            !secret_valid(rest) || !bytes_to_text(id, token.id, sizeof(token.id)) ||
            hash(rest.at, rest.left, token.secret_hash) < 0)
                return false;
        *ret = token;
        return true;
}

int cloud_session_make(char ret_text[static CLOUD_SESSION_MAX], uint8_t ret_hash[static CLOUD_HASH_SIZE]) {
        char text[CLOUD_SESSION_MAX] = SESSION_PREFIX;
        int r;

        r = make_secret(text + strlen(SESSION_PREFIX));
        if (r >= 0)
                r = hash(text, CLOUD_SESSION_LENGTH, ret_hash);
        if (r >= 0)
                memcpy(ret_text, text, sizeof(text));
        OPENSSL_cleanse(text, sizeof(text));
        return r;
}

bool cloud_session_parse(const char *text, size_t length, uint8_t ret_hash[static CLOUD_HASH_SIZE]) {
        struct bytes rest = {(const uint8_t *)text, length};

        return length == CLOUD_SESSION_LENGTH && take_word(&rest, SESSION_PREFIX) && secret_valid(rest) &&
               hash(text, length, ret_hash) == 0;
}

bool cloud_hash_equal(const uint8_t a[static CLOUD_HASH_SIZE], const uint8_t b[static CLOUD_HASH_SIZE]) {
        return CRYPTO_memcmp(a, b, CLOUD_HASH_SIZE) == 0;
}
