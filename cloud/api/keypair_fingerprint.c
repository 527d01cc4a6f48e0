/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/keypair_fingerprint.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "wire/fingerprint.h"

static bool digest_text(const char *digest, const unsigned char *bytes, size_t n,
                        char ret[static STORE_FINGERPRINT_MAX]) {
        unsigned char hash[EVP_MAX_MD_SIZE];
        size_t length = 0;

        if (EVP_Q_digest(NULL, digest, NULL, bytes, n, hash, &length) != 1 || 3 * length > STORE_FINGERPRINT_MAX)
                return false;
        for (size_t i = 0; i < length; i++)
                (void)snprintf(ret + 3 * i, 4, "%02x%s", hash[i], i + 1 < length ? ":" : "");
        return true;
}

static bool of_private(EVP_PKEY *key, char ret[static STORE_FINGERPRINT_MAX]) {
        PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
        unsigned char *der = NULL;
        int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
        bool ok = n > 0 && digest_text("SHA1", der, (size_t)n, ret);

        if (n > 0)
                OPENSSL_clear_free(der, (size_t)n);
        PKCS8_PRIV_KEY_INFO_free(info);
        return ok;
}

/* Exponent and modulus of an SSH key (RFC 4253 section 6.6), which ssh_key_from_text() has checked. */
static EVP_PKEY *rsa_of(const struct ssh_key *key) {
        struct bytes from = {.at = key->blob, .left = key->blob_length}, type, exponent, modulus;
        EVP_PKEY_CTX *context = NULL;
        OSSL_PARAM_BLD *builder = NULL;
        OSSL_PARAM *parameters = NULL;
        BIGNUM *e = NULL, *n = NULL;
        EVP_PKEY *result = NULL;

        if (!bytes_string(&from, &type) || !bytes_string(&from, &exponent) || !bytes_string(&from, &modulus))
                return NULL;
        e = BN_bin2bn(exponent.at, (int)exponent.left, NULL);
        n = BN_bin2bn(modulus.at, (int)modulus.left, NULL);
        builder = OSSL_PARAM_BLD_new();
        if (e && n && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1 &&
            OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1)
                parameters = OSSL_PARAM_BLD_to_param(builder);
        context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
            EVP_PKEY_fromdata(context, &result, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
                result = NULL;
        EVP_PKEY_CTX_free(context);
        OSSL_PARAM_free(parameters);
        OSSL_PARAM_BLD_free(builder);
        BN_free(e);
        BN_free(n);
        return result;
}

static bool of_public(const struct ssh_key *key, char ret[static STORE_FINGERPRINT_MAX]) {
        EVP_PKEY *rsa = rsa_of(key);
        unsigned char *der = NULL;
        int n = rsa ? i2d_PUBKEY(rsa, &der) : -1;
        bool ok = n > 0 && digest_text("MD5", der, (size_t)n, ret);

        OPENSSL_free(der);
        EVP_PKEY_free(rsa);
        return ok;
}

static bool of_other(const struct ssh_key *key, char ret[static STORE_FINGERPRINT_MAX]) {
        char text[FINGERPRINT_MAX];

        if (fingerprint_of(key, text) < 0)
                return false;
        /* With its padding, which "SHA256:…" leaves out. */
        (void)snprintf(ret, STORE_FINGERPRINT_MAX, "%s=", text + strlen("SHA256:"));
        return true;
}

int keypair_fingerprint_ec2(const struct ssh_key *key, EVP_PKEY *private_half, char ret[static STORE_FINGERPRINT_MAX]) {
        bool ok;

        if (key->type != SSH_KEY_RSA)
                ok = of_other(key, ret);
        else
                ok = private_half ? of_private(private_half, ret) : of_public(key, ret);
        ERR_clear_error();
        return ok ? 0 : -EIO;
}
