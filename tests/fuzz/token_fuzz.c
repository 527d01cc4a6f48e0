/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a bearer token and as a session id. What is accepted has the form of the contract, byte for byte, its hash is
 * that of the secret, and any other secret has another one.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool condition) {
        if (!condition)
                abort();
}

static bool is_base64url(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void require_hash(const char *text, size_t n, const uint8_t hash[static CLOUD_HASH_SIZE]) {
        uint8_t expected[CLOUD_HASH_SIZE];

        require(EVP_Digest(text, n, expected, NULL, EVP_sha256(), NULL) == 1);
        require(cloud_hash_equal(hash, expected));
}

static void require_token(const char *text, size_t size, const struct cloud_token *token) {
        const char *secret = text + size - CLOUD_SECRET_LENGTH;
        char other[CLOUD_TOKEN_LENGTH];
        struct cloud_token parsed;

        require(size == CLOUD_TOKEN_LENGTH && memcmp(text, "exc_", 4) == 0 && text[12] == '_');
        require(strlen(token->id) == CLOUD_TOKEN_ID_LENGTH && memcmp(token->id, text + 4, CLOUD_TOKEN_ID_LENGTH) == 0);
        for (const char *at = token->id; *at; at++)
                require((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9'));
        for (size_t i = 0; i < CLOUD_SECRET_LENGTH; i++)
                require(is_base64url(secret[i]));
        require_hash(secret, CLOUD_SECRET_LENGTH, token->secret_hash);
        for (size_t i = 0; i < size; i++) {
                memcpy(other, text, size);
                other[i] = other[i] == 'A' ? 'Q' : 'A'; /* in the last place too a valid character */
                if (cloud_token_parse(other, size, &parsed))
                        require(i >= 4 + CLOUD_TOKEN_ID_LENGTH + 1
                                        ? !cloud_hash_equal(parsed.secret_hash, token->secret_hash)
                                        : strcmp(parsed.id, token->id) != 0);
        }
        require(!cloud_token_parse(text, size - 1, &parsed));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        const char *text = (const char *)input;
        uint8_t hash[CLOUD_HASH_SIZE];
        struct cloud_token token;
        bool is_token = cloud_token_parse(text, size, &token);

        if (is_token)
                require_token(text, size, &token);
        if (cloud_session_parse(text, size, hash)) {
                require(!is_token && size == CLOUD_SESSION_LENGTH && memcmp(text, "cs_", 3) == 0);
                for (size_t i = 3; i < size; i++)
                        require(is_base64url(text[i]));
                require_hash(text, size, hash);
        }
        return 0;
}
