/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grant as the store has it: one key, its user, how long it lives, and what it may be used for.
 *
 * The file is binary (common/bytes.h):
 *
 *   8 bytes   "EXCGRNT1" of a push, "EXCLNCH1" of a launch key
 *   u64 ×4    received on the boot clock and on the wall clock, end on the boot clock, end on the wall clock (ns)
 *   u8  ×3    synchronized, restrict (0 or 1), connections (0 to 100)
 *   string    user
 *   string    key blob
 *   u8, then  number of sources, each: u8 family, u8 prefix, 16 bytes address
 *   string ×2 principal, request id
 *
 * and nothing after it.
 */
#ifndef EXC_GRANT_H
#define EXC_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/lifetime.h"
#include "common/source.h"
#include "common/ssh_key.h"

enum {
        GRANT_USER_MAX = 256 + 1,      /* bytes of a login name, with the NUL */
        GRANT_LABEL_MAX = 256 * 4 + 1, /* 256 characters of UTF-8, with the NUL */
        GRANT_SOURCES_MAX = 16,
        GRANT_CONNECTIONS_MAX = 100,
        GRANT_FILE_MAX = 4096, /* bytes; the longest grant takes fewer */
};

enum grant_origin {
        GRANT_PUSHED,
        GRANT_LAUNCH, /* of the cloud's metadata service (agent/launch.h) */
};

struct grant {
        enum grant_origin origin;
        char user[GRANT_USER_MAX];
        struct ssh_key key;
        struct lifetime life;
        uint8_t connections; /* SSH connections that may use it; 0: any number until it expires */
        bool restricted;     /* a shell, but no forwarding */
        uint8_t n_sources;   /* 0: from anywhere */
        struct source sources[GRANT_SOURCES_MAX];
        char principal[GRANT_LABEL_MAX];  /* "" where the push named none */
        char request_id[GRANT_LABEL_MAX]; /* the same */
};

/* Returns the number of bytes written to `dst`, 0 when they do not fit. */
size_t grant_encode(const struct grant *grant, uint8_t *dst, size_t size);

/* False when the bytes are not exactly one well-formed grant; `ret` is then undefined. */
bool grant_decode(const uint8_t *src, size_t length, struct grant *ret);

#endif
