/* SPDX-License-Identifier: Apache-2.0 */
/* A key's fingerprint as ssh-keygen -l and sshd write it: "SHA256:" and 43 characters of unpadded base64. */
#ifndef EXC_FINGERPRINT_H
#define EXC_FINGERPRINT_H

#include <stdbool.h>

#include "common/ssh_key.h"

enum { FINGERPRINT_MAX = 7 + 43 + 1 }; /* with the NUL */

/* -EIO when OpenSSL has no SHA-256. */
int fingerprint_of(const struct ssh_key *key, char ret[static FINGERPRINT_MAX]);

/* Whether `text` is one: its 43 characters must be the canonical text of 32 bytes. */
bool fingerprint_valid(const char *text);

#endif
