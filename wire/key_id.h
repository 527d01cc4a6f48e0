/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The id of a signing key: the first 8 bytes of the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. Signers write it to
 * `keyid`, so that a guest tries that anchor first. It is a hint: nothing is decided by it (push.md).
 */
#ifndef EXC_KEY_ID_H
#define EXC_KEY_ID_H

#include <openssl/evp.h>
#include <stdbool.h>

enum { KEY_ID_MAX = 2 * 8 + 1 }; /* with the NUL */

/* Of a private key that of its public half. False when OpenSSL fails; `ret` is untouched then. */
bool key_id_of(const EVP_PKEY *key, char ret[static KEY_ID_MAX]);

#endif
