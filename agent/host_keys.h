/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's SSH host keys, so that a client has nothing to ask at its first connection. */
#ifndef EXC_HOST_KEYS_H
#define EXC_HOST_KEYS_H

#include <jansson.h>

#include "agent/config.h"

enum { HOST_KEYS_MAX = 16 };

/*
 * The public keys in the files that the configuration names, as the interface's []HostKey, at most HOST_KEYS_MAX of them. A
 * file that is missing, or holds no key that is known, is left out: this never stands in the way of a push. The caller's to
 * drop; NULL without memory.
 */
json_t *host_keys(const struct config *config);

#endif
