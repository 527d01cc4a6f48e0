/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the grant that lets a connection in, and takes a slot in it. */
#ifndef EXC_LOOKUP_H
#define EXC_LOOKUP_H

#include <stdio.h>

#include "authkeys-helper/arguments.h"
#include "common/store.h"

enum { LOOKUP_LINE_MAX = 4096 }; /* bytes of one line for sshd, with the newline and a NUL */

enum lookup_result {
        LOOKUP_NOTHING, /* no live key of this user matches */
        LOOKUP_FOUND,   /* the connection has a slot in the grant */
        LOOKUP_NO_SLOT, /* live keys match, and other connections hold all their slots */
};

struct lookup {
        struct grant grant;       /* LOOKUP_FOUND: the one. LOOKUP_NO_SLOT: the newest that has no free slot */
        struct store_place place; /* its path */
        bool first;               /* LOOKUP_FOUND: this call took the slot, or the grant has none to take */
};

/*
 * Looks for the offered key among those of the user: first for a grant in which connection `who` holds a slot, then for
 * a free slot in the newest one. `ret` is written for LOOKUP_FOUND and LOOKUP_NO_SLOT. Negative errno: the store or a
 * claim file could not be read, and nothing else was found. Not reentrant: it keeps what it has read in static memory.
 */
int lookup_key(const struct store *store, const struct arguments *asked, const struct connection_id *who,
               struct lookup *ret);

/* Writes the line of each live key of `user` to `to`, for a person to read. Takes no slot. */
int lookup_list(const struct store *store, const char *user, bool expiry_time, FILE *to);

/*
 * The authorized_keys line for a grant (sshd(8), AUTHORIZED_KEYS FILE FORMAT), built from its typed parts alone.
 * Returns its length, 0 when the grant is dead at `now`.
 */
size_t lookup_line(const struct grant *grant, const struct instant *now, bool expiry_time,
                   char ret[static LOOKUP_LINE_MAX]);

#endif
