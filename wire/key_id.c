/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/key_id.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum { DIGEST_SIZE = 32 };

bool key_fingerprint_of(const EVP_PKEY *key, char ret[static KEY_FINGERPRINT_MAX]) {
        unsigned char *der = NULL, digest[DIGEST_SIZE];
        int n = i2d_PUBKEY(key, &der);
        bool ok = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1;

        OPENSSL_free(der);
        ERR_clear_error();
        for (int i = 0; ok && i < DIGEST_SIZE; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
        return ok;
}

bool key_id_of(const EVP_PKEY *key, char ret[static KEY_ID_MAX]) {
        char fingerprint[KEY_FINGERPRINT_MAX];

        if (!key_fingerprint_of(key, fingerprint))
                return false;
        memcpy(ret, fingerprint, KEY_ID_MAX - 1);
        ret[KEY_ID_MAX - 1] = '\0';
        return true;
}
