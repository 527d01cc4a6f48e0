/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's SSH host keys, so that a client has nothing to ask at its first connection. */
#ifndef EXC_HOST_KEYS_H
#define EXC_HOST_KEYS_H

#include <jansson.h>

#include "agent/conf_files.h"
#include "agent/config.h"

enum { HOST_KEYS_MAX = 16 };

struct host_keys {
        json_t *list; /* NULL: not read yet */
        struct stamp stamp;
};

/*
 * The public keys in the files that the configuration names, as the interface's []HostKey, at most HOST_KEYS_MAX of them. A
 * file that is missing, or holds no key that is known, is left out: this never stands in the way of a push. The caller's to
 * drop; NULL without memory.
 */
json_t *host_keys(const struct config *config);

/*
 * The same, but read only where the files have changed since. Nobody may change the list. `kept` starts from all zeros, and must
 * be cleared with each new configuration.
 */
json_t *host_keys_kept(struct host_keys *kept, const struct config *config);
void host_keys_clear(struct host_keys *kept);

#endif
