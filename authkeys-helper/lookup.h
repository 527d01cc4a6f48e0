/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the grant that lets a connection in, and takes a place in it. */
#ifndef EXC_LOOKUP_H
#define EXC_LOOKUP_H

#include <stdio.h>

#include "authkeys-helper/arguments.h"
#include "common/store.h"

enum { LOOKUP_LINE_MAX = 4096 }; /* bytes of one line for sshd, with the newline and a NUL */

enum lookup_result {
        LOOKUP_NOTHING,  /* no live key of this user matches */
        LOOKUP_FOUND,    /* the grant is this connection's */
        LOOKUP_NO_PLACE, /* live keys match, and other connections hold all their places */
};

/*
 * Looks for the offered key among those of the user, first for a grant that connection `who` has a place in, then for a
 * free place in the newest one. `ret` and `ret_place` are written for LOOKUP_FOUND and LOOKUP_NO_PLACE; `ret_first` says
 * whether the place was taken just now. Negative errno when the store could not be read.
 */
int lookup_key(const struct store *store, const struct arguments *asked, const struct connection_id *who,
               struct grant *ret, struct store_place *ret_place, bool *ret_first);

/* Writes the line of each live key of `user` to `to`, for a person to look at. Takes no place. */
int lookup_list(const struct store *store, const char *user, bool expiry_time, FILE *to);

/*
 * The authorized_keys line for a grant (sshd(8), AUTHORIZED_KEYS FILE FORMAT), built from its typed parts alone.
 * Returns its length, 0 when the grant is dead at `now`.
 */
size_t lookup_line(const struct grant *grant, const struct instant *now, bool expiry_time,
                   char ret[static LOOKUP_LINE_MAX]);

#endif
