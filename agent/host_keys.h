/* SPDX-License-Identifier: Apache-2.0 */
/* The public halves of this machine's SSH host keys, so that a client can verify its first connection. */
#ifndef EXC_HOST_KEYS_H
#define EXC_HOST_KEYS_H

#include <jansson.h>

#include "agent/config.h"
#include "conf/conf_files.h"

enum { HOST_KEYS_MAX = 16 };

/* Starts from all zeros. */
struct host_keys {
        json_t *list; /* NULL: not read yet */
        struct conf_files files;
};

/*
 * The interface's []HostKey of the files that the configuration names, at most HOST_KEYS_MAX. A file that is missing or
 * holds no known key is left out: this never fails a push. The files are read again where one of them changed. A new
 * reference, which the caller drops without changing the list; NULL: no memory. Cleared with each new configuration.
 */
json_t *host_keys_get(struct host_keys *keys, const struct config *config);

void host_keys_clear(struct host_keys *keys);

#endif
