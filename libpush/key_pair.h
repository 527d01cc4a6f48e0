/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Ed25519 key pair for one login. The private half is in OpenSSL's secure heap where the program has one
 * (CRYPTO_secure_malloc_init(3): locked, left out of core dumps), is never written to a file, and is wiped at the end.
 */
#ifndef EXC_KEY_PAIR_H
#define EXC_KEY_PAIR_H

#include <openssl/evp.h>

#include "common/ssh_key.h"

enum { KEY_PAIR_SIGNATURE_SIZE = 64 };

struct key_pair {
        EVP_PKEY *private_half;
        struct ssh_key public_half;
};

/* -EIO when OpenSSL fails. */
int key_pair_make(struct key_pair *ret);

/* Signs `n` bytes (RFC 8032). -EIO when OpenSSL fails. */
int key_pair_sign(const struct key_pair *pair, const uint8_t *bytes, size_t n,
                  uint8_t ret[static KEY_PAIR_SIGNATURE_SIZE]);

void key_pair_wipe(struct key_pair *pair);

#endif
