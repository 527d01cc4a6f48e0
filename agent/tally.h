/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many keys each user has in the store. It could be found there at any time, and is at each sweep; kept in between, since
 * a walk through a user's folders would be the greater part of a push.
 */
#ifndef EXC_TALLY_H
#define EXC_TALLY_H

#include <stdbool.h>
#include <stddef.h>

struct tally {
        struct {
                char *name; /* of the user's folder */
                size_t keys;
        } *user; /* in byte order */
        size_t n;
        bool whole; /* false: not all could be counted */
};

/* Nobody has any. */
#define TALLY_INIT {.whole = true}

/* Adds `n` keys of a user. Without memory the tally is whole no longer. */
void tally_add(struct tally *tally, const char *name, size_t n);

/* Keys of a user. */
size_t tally_of(const struct tally *tally, const char *name);

/* Frees all, and leaves a tally that is not whole. */
void tally_clear(struct tally *tally);

#endif
