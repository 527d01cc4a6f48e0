/* SPDX-License-Identifier: Apache-2.0 */
/* The signing key: a PEM file, a systemd credential, or a command that reaches a key-management service. */
#ifndef EXC_SIGNER_KEY_H
#define EXC_SIGNER_KEY_H

#include "cloud/signer/signer_config.h"
#include "libpush/signer.h"

enum { SIGNER_KEY_WHY_MAX = 512, SIGNER_KEY_PEM_MAX = 1024 };

struct signer_key {
        struct signer signer;
        EVP_PKEY *public_half;        /* NULL: not known, of a command without PublicKey= */
        const char *type;             /* "ed25519", "ecdsa-p256" or "" */
        char pem[SIGNER_KEY_PEM_MAX]; /* of the public half, as guests have it; "" where it is not known */
};

/*
 * Loads the key. A file must be root's or this user's, readable by nobody else but their groups, and no symbolic link, in
 * directories that only these users can change. The private half lies in OpenSSL's secure heap where the program has one
 * (CRYPTO_secure_malloc_init(3)). The configuration must outlive the key. Negative errno, and `ret_why`: "PATH: cause; next
 * step".
 */
int signer_key_load(const struct signer_config *config, struct signer_key *ret,
                    char ret_why[static SIGNER_KEY_WHY_MAX]);
void signer_key_close(struct signer_key *key);

/*
 * Adds a signature to the envelope. What a command returns is verified where the public half is known. From any thread.
 * Negative errno, and `ret_why`.
 */
int signer_key_sign(const struct signer_key *key, struct envelope *envelope, char ret_why[static SIGNER_WHY_MAX]);

#endif
