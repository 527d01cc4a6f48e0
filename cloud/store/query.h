/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One statement: bound, stepped and reset. All values are bound; the text of a statement is a string literal.
 *
 *         struct query q = query_begin(store, "SELECT created FROM account WHERE name = ?");
 *
 *         query_text(&q, name);
 *         if (query_row(&q))
 *                 created = query_number_at(&q, 0);
 *         return query_end(&q);
 *
 * The first failure is kept and the calls after it do nothing, so that query_end() alone is checked. Texts and blobs that
 * are bound must live until then.
 */
#ifndef EXC_CLOUD_QUERY_H
#define EXC_CLOUD_QUERY_H

#include <sqlite3.h>

#include "cloud/store/store.h"

enum {
        STORE_STATEMENTS_MAX = 128,   /* more than there are */
        STORE_BUSY_TIMEOUT_MS = 5000, /* for another process, and for another thread */
};

struct store {
        sqlite3 *db;
        char path[STORE_TEXT_MAX * 4];
        char why[STORE_WHY_MAX];

        bool reading;   /* from store_read_begin() on */
        bool writing;   /* it is this handle's turn among the writers of this process */
        int wal_frames; /* of the write-ahead log after the latest commit */

        /* Prepared statements, found by the address of their text. */
        struct {
                const char *text;
                sqlite3_stmt *statement;
        } cached[STORE_STATEMENTS_MAX];
        size_t n_cached;
};

struct query {
        struct store *store;
        sqlite3_stmt *statement;
        int parameter; /* the last one that was bound, from 1 */
        enum store_result result;
        bool rows, done; /* one was returned; there are no more */
};

struct query query_begin(struct store *store, const char *text);

/* Each binds the next parameter. */
void query_text(struct query *query, const char *value);         /* NULL: NULL */
void query_text_or_null(struct query *query, const char *value); /* NULL and "": NULL */
void query_number(struct query *query, int64_t value);
void query_blob(struct query *query, const void *value, size_t n);

/* Steps. True: there is a row. */
bool query_row(struct query *query);

/* Of the row; columns from 0. */
int64_t query_number_at(struct query *query, int column);
/* NULL is "". A text that does not fit is not what this store writes: the query fails. */
void query_text_at(struct query *query, int column, char *ret, size_t size);
void query_blob_at(struct query *query, int column, void *ret, size_t size); /* of exactly this size */

/*
 * Steps to the end where that is still to do, and resets. STORE_OK; STORE_CONFLICT for a name that exists already;
 * STORE_INVALID for a reference to what does not exist; STORE_UNAVAILABLE.
 */
enum store_result query_end(struct query *query);

/* The same; STORE_NOT_FOUND where STORE_OK but there was no row. */
enum store_result query_end_found(struct query *query);

/* The same; STORE_NOT_FOUND where STORE_OK but no row was changed. */
enum store_result query_end_changed(struct query *query);

/* A transaction that may write, from its start: what it reads stays as it is until its end. */
enum store_result transaction_begin(struct store *store);

/* Commits where `result` is STORE_OK or STORE_CREATED, else rolls back. Returns `result`, or what the commit says. */
enum store_result transaction_end(struct store *store, enum store_result result);

/* Keeps the cause of STORE_UNAVAILABLE, with the next step, and returns that. */
enum store_result store_failed(struct store *store, int sqlite_error);

/* sqlite3_wal_hook(3) of each handle, in place of SQLite's own checkpoints, which run within the commit. */
int store_wal_hook(void *store, sqlite3 *db, const char *name, int frames);

/* store_revocation_add(), in a transaction that is more than that. */
enum store_result revocation_insert(struct store *store, const struct store_revocation *revocation, int64_t now);

/* Whether a name has 1 to 64 bytes. */
bool store_name_fits(const char *name);

#endif
