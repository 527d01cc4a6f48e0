/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/key_id.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { DIGEST_SIZE = 32 };

bool key_id_of(const EVP_PKEY *key, char ret[static KEY_ID_MAX]) {
        unsigned char *der = NULL, digest[DIGEST_SIZE];
        int n = i2d_PUBKEY(key, &der);
        bool ok = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1;

        OPENSSL_free(der);
        ERR_clear_error();
        for (int i = 0; ok && i < (KEY_ID_MAX - 1) / 2; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
        return ok;
}
