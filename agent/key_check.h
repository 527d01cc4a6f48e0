/* SPDX-License-Identifier: Apache-2.0 */
/* What takes OpenSSL to know about a key. */
#ifndef EXC_KEY_CHECK_H
#define EXC_KEY_CHECK_H

#include <stdbool.h>

#include "common/ssh_key.h"
#include "common/store.h"

/* Whether an ECDSA key's point lies on its curve and is not the point at infinity. True for keys without a point. */
bool key_point_on_curve(const struct ssh_key *key);

/* The SHA-256 fingerprint of a key's blob, as a name in the store. Negative errno. */
int key_fingerprint(const struct ssh_key *key, char ret[static STORE_FINGERPRINT_NAME_MAX]);

#endif
