/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys as ssh reads them: openssh-key-v1 (OpenSSH, PROTOCOL.key), unencrypted. OpenSSH before 9.6 does not take
 * Ed25519 keys in PKCS#8.
 */
#ifndef EXC_OPENSSH_KEY_H
#define EXC_OPENSSH_KEY_H

#include <openssl/evp.h>
#include <stddef.h>

#include "common/ssh_key.h"

struct openssh_key {
        char *text; /* ends in a newline and a NUL; in OpenSSL's secure heap where the program has one */
        size_t length;
};

/* The public half of an Ed25519 or RSA key. -EOPNOTSUPP for another type or size, -EIO when OpenSSL fails. */
int openssh_key_public(EVP_PKEY *key, struct ssh_key *ret);

/* The private half, without a comment; openssh_key_wipe() ends it. Errors as above, and -ENOMEM. */
int openssh_key_private(EVP_PKEY *key, struct openssh_key *ret);

/* Also for one that is all zeros. */
void openssh_key_wipe(struct openssh_key *key);

#endif
