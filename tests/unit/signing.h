/* SPDX-License-Identifier: Apache-2.0 */
/* Keys to sign with, envelopes that are signed, and anchors as files. */
#ifndef EXC_SIGNING_H
#define EXC_SIGNING_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "wire/envelope.h"

/* The Ed25519 key whose secret is 32 times the same byte. */
static inline EVP_PKEY *signing_ed25519(uint8_t fill) {
        uint8_t secret[32];
        EVP_PKEY *key;

        memset(secret, fill, sizeof(secret));
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
        if (!key)
                abort();
        return key;
}

/* A new key on that curve: "P-256", "P-384". */
static inline EVP_PKEY *signing_ec(const char *curve) {
        EVP_PKEY *key = EVP_EC_gen(curve);

        if (!key)
                abort();
        return key;
}

/* Signs any bytes. `digest`: NULL for Ed25519. Returns the length. */
static inline size_t signing_sign(EVP_PKEY *key, const char *digest, const void *bytes, size_t length,
                                  uint8_t ret[static ENVELOPE_SIGNATURE_MAX]) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t n = ENVELOPE_SIGNATURE_MAX;

        if (!context || EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL) != 1 ||
            EVP_DigestSign(context, ret, &n, bytes, length) != 1)
                abort();
        EVP_MD_CTX_free(context);
        return n;
}

/* Adds the signature of that key as push.md specifies it. */
static inline void signing_add(struct envelope *envelope, EVP_PKEY *key) {
        uint8_t signature[ENVELOPE_SIGNATURE_MAX];
        size_t n = signing_sign(key, EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256", envelope->pae,
                                envelope->pae_length, signature);

        if (envelope_add_signature(envelope, signature, n) < 0)
                abort();
}

static inline void signing_make(const char *type, const char *payload, struct envelope *ret) {
        if (envelope_make(type, payload, strlen(payload), ret) < 0)
                abort();
}

static inline void signing_write(const char *path, const char *text) {
        FILE *file = fopen(path, "we");

        if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0644) < 0)
                abort();
}

/* The public key in PEM; the caller frees it. */
static inline char *signing_pem(EVP_PKEY *key) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, *copy;
        long n;

        if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1)
                abort();
        n = BIO_get_mem_data(bio, &text);
        copy = strndup(text, (size_t)n);
        if (!copy)
                abort();
        BIO_free(bio);
        return copy;
}

static inline void signing_write_anchor(const char *path, EVP_PKEY *key) {
        char *pem = signing_pem(key);

        signing_write(path, pem);
        free(pem);
}

#endif
