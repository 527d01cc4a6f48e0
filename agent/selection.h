/* SPDX-License-Identifier: Apache-2.0 */
/* Some of the keys in the store: those of a user, of a fingerprint, of both, or all. */
#ifndef EXC_SELECTION_H
#define EXC_SELECTION_H

#include <stdbool.h>

#include "common/store.h"

struct selection {
        const struct store *store;
        const char *user; /* the name that the name service has; NULL: of all */
        char user_name[STORE_USER_NAME_MAX];
        const char *fingerprint; /* a name in the store; NULL: all */
        struct instant now;
};

void select_keys(struct selection *ret, const struct store *store, const char *user, const char *fingerprint);

/* As store_walk(). Login names of over 255 bytes can share a directory, so a key that is shown may be another user's. */
int selection_walk(const struct selection *selection, store_visit visit, void *context);

/*
 * Reads a key if it counts: whole, of the user, alive, and its push complete. `ret_taken`: how many of its connections
 * are taken.
 */
bool selection_read_live(const struct selection *selection, const struct store_place *place, struct grant *ret,
                         int *ret_taken);

#endif
