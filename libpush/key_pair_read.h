/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys in openssh-key-v1 (OpenSSH, PROTOCOL.key), as ssh-keygen and the control plane write them. */
#ifndef EXC_KEY_PAIR_READ_H
#define EXC_KEY_PAIR_READ_H

#include <stddef.h>

#include "libpush/key_pair.h"

enum { KEY_PAIR_TEXT_MAX = 1024 }; /* bytes; an Ed25519 key with a comment of 200 has about 700 */

/*
 * Reads the one key in `text`: Ed25519, unencrypted, with nothing before or after the block but its last newline. The
 * public half is computed, and compared with both that are in the text. -EINVAL for anything else, `ret` is then untouched;
 * -EIO when OpenSSL fails.
 */
int key_pair_read(const char *text, size_t n, struct key_pair *ret);

#endif
