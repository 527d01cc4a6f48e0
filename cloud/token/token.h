/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets that the control plane gives out (compute-api.md, General and Connect): bearer tokens and session ids. Both
 * have 256 random bits and are kept as SHA-256 alone.
 *
 * Functions that return bool or int leave what they return through pointers unchanged on failure.
 */
#ifndef EXC_CLOUD_TOKEN_H
#define EXC_CLOUD_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        CLOUD_SECRET_LENGTH = 43,  /* characters of base64url without padding */
        CLOUD_TOKEN_ID_LENGTH = 8, /* characters [a-z0-9] */
        CLOUD_TOKEN_LENGTH = 4 + CLOUD_TOKEN_ID_LENGTH + 1 + CLOUD_SECRET_LENGTH, /* "exc_", id, "_", secret */
        CLOUD_SESSION_LENGTH = 3 + CLOUD_SECRET_LENGTH,                           /* "cs_", secret */

        CLOUD_TOKEN_ID_MAX = CLOUD_TOKEN_ID_LENGTH + 1, /* with the NUL, as the next two */
        CLOUD_TOKEN_MAX = CLOUD_TOKEN_LENGTH + 1,
        CLOUD_SESSION_MAX = CLOUD_SESSION_LENGTH + 1,
        CLOUD_HASH_SIZE = 32,
};

/* A token as the store knows it. */
struct cloud_token {
        char id[CLOUD_TOKEN_ID_MAX];
        uint8_t secret_hash[CLOUD_HASH_SIZE]; /* SHA-256 of the 43 characters of the secret */
};

/* A new token. The caller wipes `ret_text`. -EIO: the kernel gives no random bytes; -ENOMEM. */
int cloud_token_make(char ret_text[static CLOUD_TOKEN_MAX], struct cloud_token *ret);

/* Takes `length` untrusted bytes apart. False: they have not the form of a token, or there is no memory. */
bool cloud_token_parse(const char *text, size_t length, struct cloud_token *ret);

/* A new session id and its SHA-256, over all characters. Errors as of cloud_token_make(). */
int cloud_session_make(char ret_text[static CLOUD_SESSION_MAX], uint8_t ret_hash[static CLOUD_HASH_SIZE]);

bool cloud_session_parse(const char *text, size_t length, uint8_t ret_hash[static CLOUD_HASH_SIZE]);

/* Takes the same time wherever they differ. */
bool cloud_hash_equal(const uint8_t a[static CLOUD_HASH_SIZE], const uint8_t b[static CLOUD_HASH_SIZE]);

#endif
