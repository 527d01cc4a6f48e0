/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/fingerprint.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"

#define PREFIX "SHA256:"

enum { DIGEST_SIZE = 32 };

int fingerprint_of(const struct ssh_key *key, char ret[static FINGERPRINT_MAX]) {
        char text[BASE64_LENGTH(DIGEST_SIZE) + 1];
        uint8_t digest[DIGEST_SIZE];
        size_t n = strlen(PREFIX);

        if (EVP_Digest(key->blob, key->blob_length, digest, NULL, EVP_sha256(), NULL) != 1)
                return -EIO;
        base64_encode(digest, sizeof(digest), text);
        memcpy(ret, PREFIX, n);
        memcpy(ret + n, text, FINGERPRINT_MAX - n - 1); /* without the one '=' */
        ret[FINGERPRINT_MAX - 1] = '\0';
        return 0;
}

bool fingerprint_valid(const char *text) {
        char padded[BASE64_LENGTH(DIGEST_SIZE) + 1];
        uint8_t digest[DIGEST_SIZE];
        size_t n = strlen(PREFIX), length;

        if (strncmp(text, PREFIX, n) != 0 || strlen(text + n) != BASE64_LENGTH(DIGEST_SIZE) - 1)
                return false;
        (void)snprintf(padded, sizeof(padded), "%s=", text + n);
        return base64_decode(padded, BASE64_LENGTH(DIGEST_SIZE), digest, sizeof(digest), &length) &&
               length == DIGEST_SIZE;
}
