/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signing key is known by: the SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal. The first 8 bytes of that are
 * its id, which signers write to `keyid`, so that a guest tries that anchor first. It is a hint: nothing is decided by it
 * (push.md).
 */
#ifndef EXC_KEY_ID_H
#define EXC_KEY_ID_H

#include <openssl/evp.h>
#include <stdbool.h>

enum { KEY_FINGERPRINT_MAX = 2 * 32 + 1, KEY_ID_MAX = 2 * 8 + 1 }; /* with the NUL */

/* Of a private key those of its public half. False when OpenSSL fails; `ret` is untouched then. */
bool key_fingerprint_of(const EVP_PKEY *key, char ret[static KEY_FINGERPRINT_MAX]);
bool key_id_of(const EVP_PKEY *key, char ret[static KEY_ID_MAX]);

#endif
