/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of a grant: which SSH connections hold them, read from its claim file. In the event of a key's end they prove a use
 * whose own event was lost, or that the key was not used.
 */
#ifndef EXC_SLOTS_H
#define EXC_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/grant.h"
#include "common/store.h"

enum { SLOTS_REMEMBERED = 32 };

struct slots {
        char id[STORE_ID_MAX];
        bool final; /* no more can be taken */
        size_t n;
        uint64_t pids[GRANT_CONNECTIONS_MAX];
};

/*
 * The last results of slots_end(). The claim file of a grant is removed with the first of its keys, and the other keys need what
 * was in it. As many as a user has live keys: a walk finishes one user before the next.
 */
struct slots_memory {
        struct slots slots[SLOTS_REMEMBERED];
        size_t n; /* ever */
};

/*
 * Takes the free slots of the grant at `place`, whose claim file is to be removed next, and returns who holds the others.
 * NULL: unknown, since the file is gone or damaged, a helper has it locked, or the grant has no slots. The result belongs to
 * `memory` and is valid until the next call.
 */
const struct slots *slots_end(struct slots_memory *memory, const struct store *store, const struct store_place *place,
                              const struct grant *grant);

/* The same for one key of a grant that goes on: more connections may still take a slot. */
const struct slots *slots_of_key(struct slots_memory *memory, const struct store *store,
                                 const struct store_place *place, const struct grant *grant);

/*
 * How many slots of the grant at `place`, which has `connections`, are taken. Negative errno: its push is not complete, it is
 * revoked, or its claim file is damaged; the grant does not count then.
 */
int slots_taken(const struct store *store, const struct store_place *place, unsigned connections);

#endif
