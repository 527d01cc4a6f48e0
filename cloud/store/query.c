/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store/query.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CHECKPOINT_FRAMES = 1000 };

/*
 * The writers of this process take turns. Left to itself each of them would sleep and try again while another one writes
 * (sqlite3_busy_timeout(3)), for milliseconds instead of microseconds, and some of them for very long.
 */
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

static const char *next_step(int error) {
        switch (error & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return "another process keeps it locked: see which with fuser(1)";
        case SQLITE_FULL:
                return "free room on its file system";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return "it is damaged: restore it from a backup";
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
                return "check owner and mode of the file and its directory";
        case SQLITE_NOMEM:
                return "free memory";
        case SQLITE_PROTOCOL:
                return "put it on a local file system: a write-ahead log needs shared memory";
        default:
                return "see the kernel's log for errors of the disk";
        }
}

enum store_result store_failed(struct store *store, int error) {
        int system_error = sqlite3_system_errno(store->db);
        bool named = (error & 0xff) == SQLITE_IOERR || (error & 0xff) == SQLITE_CANTOPEN;

        (void)snprintf(store->why, sizeof(store->why), "%.100s: %s%s%s; %s", store->path, sqlite3_errstr(error),
                       named && system_error ? ": " : "", named && system_error ? strerror(system_error) : "",
                       named && system_error == ENOSPC ? next_step(SQLITE_FULL) : next_step(error));
        return STORE_UNAVAILABLE;
}

bool store_name_fits(const char *name) {
        return name[0] != '\0' && strnlen(name, STORE_NAME_MAX) < STORE_NAME_MAX;
}

/* Prepared statements live as long as the handle: to parse one takes longer than to run it. */
static sqlite3_stmt *prepared(struct store *store, const char *text, int *ret_error) {
        sqlite3_stmt *statement = NULL;

        for (size_t i = 0; i < store->n_cached; i++)
                if (store->cached[i].text == text)
                        return store->cached[i].statement;
        *ret_error = store->n_cached < STORE_STATEMENTS_MAX
                             ? sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL)
                             : SQLITE_INTERNAL;
        if (*ret_error != SQLITE_OK)
                return NULL;
        store->cached[store->n_cached].text = text;
        store->cached[store->n_cached++].statement = statement;
        return statement;
}

static void fail(struct query *query, int error) {
        if (query->result == STORE_OK)
                query->result = store_failed(query->store, error);
}

struct query query_begin(struct store *store, const char *text) {
        struct query query = {.store = store, .result = STORE_OK};
        int error = SQLITE_OK;

        query.statement = prepared(store, text, &error);
        if (!query.statement)
                fail(&query, error);
        return query;
}

static void bound(struct query *query, int error) {
        if (error != SQLITE_OK)
                fail(query, error);
}

void query_text(struct query *query, const char *value) {
        query->parameter++;
        if (query->result == STORE_OK) /* a value of NULL binds NULL */
                bound(query, sqlite3_bind_text(query->statement, query->parameter, value, -1, SQLITE_STATIC));
}

void query_text_or_null(struct query *query, const char *value) {
        query_text(query, value && *value ? value : NULL);
}

void query_number(struct query *query, int64_t value) {
        query->parameter++;
        if (query->result == STORE_OK)
                bound(query, sqlite3_bind_int64(query->statement, query->parameter, value));
}

void query_blob(struct query *query, const void *value, size_t n) {
        query->parameter++;
        if (query->result == STORE_OK)
                bound(query,
                      sqlite3_bind_blob64(query->statement, query->parameter, n > 0 ? value : "", n, SQLITE_STATIC));
}

/* SQLITE_OK or SQLITE_BUSY. */
static int begin_writing(struct store *store) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += STORE_BUSY_TIMEOUT_MS / 1000;
        if (pthread_mutex_clocklock(&writers, CLOCK_MONOTONIC, &until) != 0)
                return SQLITE_BUSY;
        store->writing = true;
        store->wal_frames = 0;
        return SQLITE_OK;
}

/* Copies the log into the database when it is long: after the turn, because it waits for the disk. */
static void end_writing(struct store *store) {
        store->writing = false;
        (void)pthread_mutex_unlock(&writers);
        /* One that fails, as where another handle does it, is tried again after the next commit. */
        if (store->wal_frames >= CHECKPOINT_FRAMES)
                (void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

int store_wal_hook(void *store, sqlite3 *db, const char *name, int frames) {
        (void)db;
        (void)name;
        ((struct store *)store)->wal_frames = frames;
        return SQLITE_OK;
}

bool query_row(struct query *query) {
        int r;

        if (query->result != STORE_OK || query->done)
                return false;
        if (!query->store->writing && !sqlite3_stmt_readonly(query->statement)) {
                store_read_end(query->store);
                r = begin_writing(query->store);
                if (r != SQLITE_OK) {
                        fail(query, r);
                        return false;
                }
        }
        r = sqlite3_step(query->statement);
        switch (r) {
        case SQLITE_ROW:
                query->rows = true;
                return true;
        case SQLITE_DONE:
                query->done = true;
                return false;
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_ROWID:
                query->result = STORE_CONFLICT;
                return false;
        case SQLITE_CONSTRAINT_FOREIGNKEY:
                query->result = STORE_INVALID;
                return false;
        default:
                fail(query, r);
                return false;
        }
}

int64_t query_number_at(struct query *query, int column) {
        return sqlite3_column_int64(query->statement, column);
}

void query_text_at(struct query *query, int column, char *ret, size_t size) {
        const unsigned char *text = sqlite3_column_text(query->statement, column);
        size_t length = (size_t)sqlite3_column_bytes(query->statement, column);

        ret[0] = '\0';
        if (text && length < size)
                memcpy(ret, text, length + 1);
        else if (text || sqlite3_column_type(query->statement, column) != SQLITE_NULL)
                fail(query, text ? SQLITE_CORRUPT : SQLITE_NOMEM);
}

void query_blob_at(struct query *query, int column, void *ret, size_t size) {
        const void *blob = sqlite3_column_blob(query->statement, column);

        memset(ret, 0, size);
        if (blob && (size_t)sqlite3_column_bytes(query->statement, column) == size)
                memcpy(ret, blob, size);
        else
                fail(query, SQLITE_CORRUPT);
}

enum store_result query_end(struct query *query) {
        if (!query->statement)
                return query->result;
        if (!query->rows || !sqlite3_stmt_readonly(query->statement))
                while (query_row(query))
                        ;
        /* Its result repeats an error of the step. */
        (void)sqlite3_reset(query->statement);
        (void)sqlite3_clear_bindings(query->statement);
        if (query->store->writing && sqlite3_get_autocommit(query->store->db))
                end_writing(query->store);
        return query->result;
}

enum store_result query_end_found(struct query *query) {
        enum store_result result = query_end(query);

        return result == STORE_OK && !query->rows ? STORE_NOT_FOUND : result;
}

enum store_result query_end_changed(struct query *query) {
        enum store_result result = query_end(query);

        return result == STORE_OK && sqlite3_changes(query->store->db) == 0 ? STORE_NOT_FOUND : result;
}

static const char begin[] = "BEGIN IMMEDIATE", commit[] = "COMMIT", rollback[] = "ROLLBACK";
static const char begin_reading[] = "BEGIN", end_reading[] = "END";

/* Without it each read is of a moment of its own, as it would be outside, so that a failure needs no report. */
void store_read_begin(struct store *store) {
        struct query q;
        int error;

        /* Before they are needed: a transaction that could not be ended would read what was for ever. */
        if (store->reading || store->writing || !prepared(store, end_reading, &error) ||
            !prepared(store, rollback, &error))
                return;
        q = query_begin(store, begin_reading);
        store->reading = query_end(&q) == STORE_OK;
}

void store_read_end(struct store *store) {
        struct query q;

        if (!store->reading)
                return;
        store->reading = false;
        /* Some errors have ended it already. */
        if (sqlite3_get_autocommit(store->db))
                return;
        q = query_begin(store, end_reading);
        if (query_end(&q) != STORE_OK) {
                q = query_begin(store, rollback);
                (void)query_end(&q);
        }
}

enum store_result transaction_begin(struct store *store) {
        struct query q;
        int error;

        /* Before it is needed: a transaction that could not be ended for want of memory would keep all others out. */
        if (!prepared(store, commit, &error) || !prepared(store, rollback, &error))
                return store_failed(store, error);
        q = query_begin(store, begin);
        return query_end(&q);
}

enum store_result transaction_end(struct store *store, enum store_result result) {
        if (result == STORE_OK || result == STORE_CREATED) {
                struct query q = query_begin(store, commit);
                enum store_result committed = query_end(&q);

                if (committed != STORE_OK)
                        result = committed;
        }
        /* Some errors have ended the transaction already. */
        if (!sqlite3_get_autocommit(store->db)) {
                struct query q = query_begin(store, rollback);

                (void)query_end(&q);
        }
        return result;
}
