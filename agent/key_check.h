/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks and fingerprints of SSH public keys: what common/ssh_key.h leaves to OpenSSL, which the helper does not link.
 */
#ifndef EXC_KEY_CHECK_H
#define EXC_KEY_CHECK_H

#include <stdbool.h>

#include "common/ssh_key.h"
#include "common/store.h"

/* Whether the point of an ECDSA key is on its curve, and not the point at infinity. True for keys without a point. */
bool key_check_point(const struct ssh_key *key);

/* The SHA-256 fingerprint of the blob, as the store names it. -EIO when OpenSSL fails. */
int key_check_fingerprint(const struct ssh_key *key, char ret[static STORE_FINGERPRINT_NAME_MAX]);

#endif
