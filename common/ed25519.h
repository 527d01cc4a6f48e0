/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 public keys (RFC 8032 section 5.1.5) for which nobody needs a private half. */
#ifndef EXC_ED25519_H
#define EXC_ED25519_H

#include <stdbool.h>
#include <stdint.h>

enum { ED25519_KEY_SIZE = 32 };

/*
 * Whether the key encodes one of the eight points whose order divides the cofactor 8, in any of its encodings. Anybody who
 * knows that can make signatures that OpenSSL and sshd accept for it, without a private half.
 */
bool ed25519_is_low_order(const uint8_t key[static ED25519_KEY_SIZE]);

#endif
