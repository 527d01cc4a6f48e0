/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store/schema.h"

#include <errno.h>
#include <stdio.h>

/*
 * Names and ids are compared byte by byte, which is SQLite's default. STRICT, so that a value has its column's type.
 * WITHOUT ROWID where rows are short: a look-up is then one search.
 *
 * A policy's text has a table of its own, because AUTOINCREMENT never gives a version twice. For the same reason an
 * instance that was deleted leaves its id.
 */
static const char step_1[] =
        "CREATE TABLE account ("
        "  name TEXT NOT NULL PRIMARY KEY,"
        "  created INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"

        "CREATE TABLE token ("
        "  id TEXT NOT NULL PRIMARY KEY,"
        "  account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,"
        "  secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),"
        "  created INTEGER NOT NULL,"
        "  expires INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX token_account ON token (account, id);"

        "CREATE TABLE policy_text ("
        "  version INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
        "  text BLOB NOT NULL"
        ") STRICT;"

        "CREATE TABLE policy ("
        "  name TEXT NOT NULL PRIMARY KEY,"
        "  version INTEGER NOT NULL UNIQUE REFERENCES policy_text,"
        "  created INTEGER NOT NULL,"
        "  changed INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        "INSERT INTO policy_text VALUES (1, CAST('{\"Version\":\"2024-03-05\",\"Statements\":[{\"Sid\":\"Admin\","
        "\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}' AS BLOB));"
        "INSERT INTO policy VALUES ('Admin', 1, unixepoch(), unixepoch());"

        "CREATE TABLE attachment ("
        "  account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,"
        "  policy TEXT NOT NULL REFERENCES policy ON DELETE CASCADE,"
        "  PRIMARY KEY (account, policy)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX attachment_policy ON attachment (policy);"

        "CREATE TABLE keypair ("
        "  account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,"
        "  name TEXT NOT NULL,"
        "  type TEXT NOT NULL,"
        "  public_key TEXT NOT NULL,"
        "  fingerprint TEXT NOT NULL,"
        "  fingerprint_md5 TEXT NOT NULL,"
        "  created INTEGER NOT NULL,"
        "  PRIMARY KEY (account, name)"
        ") STRICT, WITHOUT ROWID;"

        "CREATE TABLE instance ("
        "  id TEXT NOT NULL UNIQUE,"
        "  name TEXT UNIQUE," /* NULL: none */
        "  host TEXT NOT NULL,"
        "  default_user TEXT NOT NULL,"
        "  public_ipv4 TEXT NOT NULL,"
        "  private_ipv4 TEXT NOT NULL,"
        "  ipv6 TEXT NOT NULL,"
        "  port INTEGER NOT NULL,"
        "  keypair_account TEXT," /* NULL, both: none */
        "  keypair TEXT,"
        "  tunnel INTEGER NOT NULL,"
        "  channel TEXT NOT NULL,"
        "  state TEXT NOT NULL,"
        "  first_seen INTEGER NOT NULL,"
        "  version INTEGER NOT NULL,"
        "  created INTEGER NOT NULL,"
        "  FOREIGN KEY (keypair_account, keypair) REFERENCES keypair ON DELETE SET NULL"
        ") STRICT;"
        "CREATE INDEX instance_keypair ON instance (keypair_account, keypair) WHERE keypair IS NOT NULL;"

        "CREATE TABLE deleted_instance ("
        "  id TEXT NOT NULL PRIMARY KEY"
        ") STRICT, WITHOUT ROWID;"

        "CREATE TABLE host_key ("
        "  instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,"
        "  waiting INTEGER NOT NULL,"
        "  number INTEGER NOT NULL,"
        "  line TEXT NOT NULL,"
        "  PRIMARY KEY (instance, waiting, number)"
        ") STRICT;"

        /* Short-lived and few: what ends with its account or instance is found without an index. */
        "CREATE TABLE session ("
        "  hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),"
        "  account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,"
        "  token_id TEXT NOT NULL,"
        "  instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,"
        "  user TEXT NOT NULL,"
        "  request_id TEXT NOT NULL,"
        "  pushed INTEGER NOT NULL,"
        "  redeemed INTEGER NOT NULL,"
        "  expires INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX session_expires ON session (expires);"

        /* No references: a connect that is under way sees it also when the instance is deleted meanwhile. */
        "CREATE TABLE revocation ("
        "  number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
        "  instance TEXT NOT NULL,"
        "  fingerprint TEXT,"
        "  user TEXT,"
        "  account TEXT,"
        "  request_id TEXT,"
        "  time INTEGER NOT NULL"
        ") STRICT;"
        "CREATE INDEX revocation_instance ON revocation (instance, number);"
        "CREATE INDEX revocation_time ON revocation (time);";

const char *const schema_steps[] = {step_1};
const size_t schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);

int schema_errno(sqlite3 *db, int error) {
        int system_error = sqlite3_system_errno(db);

        switch (error & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EBADMSG;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_READONLY:
        case SQLITE_PERM:
                return -EACCES;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
                return system_error > 0 ? -system_error : -EIO;
        default:
                return -EIO;
        }
}

static int version(sqlite3 *db, int64_t *ret) {
        sqlite3_stmt *statement;
        int error = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);

        if (error != SQLITE_OK)
                return error;
        if (sqlite3_step(statement) == SQLITE_ROW)
                *ret = sqlite3_column_int64(statement, 0);
        return sqlite3_finalize(statement);
}

static int carry_out(sqlite3 *db, const char *const *steps, size_t from, size_t n) {
        char set_version[64];
        int error = SQLITE_OK;

        for (size_t i = from; error == SQLITE_OK && i < n; i++)
                error = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
        if (error != SQLITE_OK)
                return error;
        /* PRAGMA takes no bound values. */
        (void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %zu", n);
        return sqlite3_exec(db, set_version, NULL, NULL, NULL);
}

static int refuse_newer(int64_t is, size_t n, char ret_why[static STORE_WHY_MAX]) {
        (void)snprintf(ret_why, STORE_WHY_MAX,
                       "schema version %lld is newer than this program's, %zu; install the newer version again",
                       (long long)is, n);
        return -EPROTONOSUPPORT;
}

int schema_bring_forward(sqlite3 *db, const char *const *steps, size_t n, char ret_why[static STORE_WHY_MAX]) {
        int64_t is = 0;
        int error = version(db, &is), r;

        if (error == SQLITE_OK && is == (int64_t)n)
                return 0;
        if (error == SQLITE_OK && is >= 0 && is < (int64_t)n)
                error = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        else if (error == SQLITE_OK)
                return refuse_newer(is, n, ret_why);
        /* Another process may have done it meanwhile. */
        if (error == SQLITE_OK)
                error = version(db, &is);
        if (error == SQLITE_OK && is >= 0 && is < (int64_t)n)
                error = carry_out(db, steps, (size_t)is, n);
        if (error == SQLITE_OK)
                error = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        if (error != SQLITE_OK)
                (void)snprintf(ret_why, STORE_WHY_MAX, "cannot bring its schema from version %lld to %zu: %s",
                               (long long)is, n, sqlite3_errmsg(db));
        r = error == SQLITE_OK ? 0 : schema_errno(db, error);
        if (!sqlite3_get_autocommit(db))
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}
