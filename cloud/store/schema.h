/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, and how a database of an earlier version gets them. PRAGMA user_version is the number of steps done. */
#ifndef EXC_CLOUD_SCHEMA_H
#define EXC_CLOUD_SCHEMA_H

#include <stddef.h>

#include "cloud/store/query.h"

/*
 * Each step's text takes the schema from one version to the next. A step that was released is never changed; a new one
 * follows it.
 */
extern const char *const schema_steps[];
extern const size_t schema_n_steps;

/*
 * Carries out the steps that are missing, all in one transaction. 0; -EPROTONOSUPPORT: the database is of a newer version;
 * else negative errno. `ret_why` is a phrase that follows the path.
 */
int schema_bring_forward(sqlite3 *db, const char *const *steps, size_t n, char ret_why[static STORE_WHY_MAX]);

/* The negative errno for an error of SQLite. */
int schema_errno(sqlite3 *db, int sqlite_error);

#endif
