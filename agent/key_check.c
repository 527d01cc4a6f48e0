/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/key_check.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "wire/fingerprint.h"

static const char *curve_name(enum ssh_key_type type) {
        switch (type) {
        case SSH_KEY_ECDSA_P256:
        case SSH_KEY_SK_ECDSA_P256:
                return "P-256";
        case SSH_KEY_ECDSA_P384:
                return "P-384";
        case SSH_KEY_ECDSA_P521:
                return "P-521";
        case SSH_KEY_ED25519:
        case SSH_KEY_SK_ED25519:
        case SSH_KEY_RSA:
                break;
        }
        return NULL;
}

/*
 * The cofactor of these curves is 1, so every point on the curve but the one at infinity is a public key. OpenSSL
 * checks that in EVP_PKEY_fromdata(3) and in EVP_PKEY_public_check(3).
 */
static bool point_on_curve(const char *curve, const uint8_t *point, size_t length) {
        char name[16];
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
                OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                OSSL_PARAM_END,
        };
        uint8_t copy[SSH_KEY_BLOB_MAX];
        EVP_PKEY_CTX *make = NULL, *check = NULL;
        EVP_PKEY *key = NULL;
        bool ok;

        /* OSSL_PARAM has no const pointers. */
        (void)snprintf(name, sizeof(name), "%s", curve);
        memcpy(copy, point, length);
        parameters[0].data_size = strlen(name);
        parameters[1].data = copy;
        parameters[1].data_size = length;

        make = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        ok = make && EVP_PKEY_fromdata_init(make) == 1 &&
             EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1 &&
             (check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL)) && EVP_PKEY_public_check(check) == 1;
        EVP_PKEY_CTX_free(check);
        EVP_PKEY_free(key);
        EVP_PKEY_CTX_free(make);
        return ok;
}

bool key_check_point(const struct ssh_key *key) {
        const char *curve = curve_name(key->type);

        return !curve || point_on_curve(curve, key->blob + key->point_offset, key->point_length);
}

int key_check_fingerprint(const struct ssh_key *key, char ret[static STORE_FINGERPRINT_NAME_MAX]) {
        char fingerprint[FINGERPRINT_MAX];
        int r;

        r = fingerprint_of(key, fingerprint);
        if (r < 0)
                return r;
        return store_fingerprint_name(fingerprint, ret) ? 0 : -EIO;
}
