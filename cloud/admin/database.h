/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands do with the database: open it as its user, and say what it answered. */
#ifndef EXC_COMPUTE_ADMIN_DATABASE_H
#define EXC_COMPUTE_ADMIN_DATABASE_H

#include <jansson.h>

#include "cloud/admin/command.h"

enum { TIME_TEXT_MAX = 32 };

/* Becomes the API's user and opens the database. EXIT_DONE, or an exit status when it has complained. */
int database_open(const struct options *options, struct store **ret);

/* The same for init, which has become that user: a database that does not exist is created. */
int database_create(const char *path, struct store **ret);

/*
 * The exit status for an answer. Complains about all but STORE_OK and STORE_CREATED: "KIND NAME: CAUSE"; `conflict` and
 * `invalid` are the causes of these two, NULL where they do not come.
 */
int database_status(const struct store *store, enum store_result result, const char *kind, const char *name,
                    const char *conflict, const char *invalid);

/* "2026-03-01T12:00:00Z" */
const char *time_text(int64_t unix_s, char ret[static TIME_TEXT_MAX]);

/*
 * A list: goes through all pages of `read`, which stores up to STORE_LIST_MAX items behind `after` ("" at first) and
 * returns how many, and the name to go on after. `show` is called for each item.
 */
struct listing {
        size_t item_size;
        enum store_result (*read)(struct store *store, const void *context, const char *after, size_t max, void *items,
                                  size_t *ret_n);
        const char *(*name)(const void *item);
        int (*show)(void *context, struct store *store, const void *item); /* an exit status */
        void *context;
};
int list_all(struct store *store, const struct listing *listing);

#endif
