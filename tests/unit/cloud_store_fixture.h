/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the control plane's database share: a database in a directory of its own, and records for it. */
#ifndef EXC_CLOUD_STORE_FIXTURE_H
#define EXC_CLOUD_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "cloud/store/store.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW = 1700000000 };

/* Text that ends a literal, a statement, a comment; names that are operators elsewhere. */
static const char *const sql_texts[] __attribute__((unused)) = {
        "'",
        "\"",
        "';DROP TABLE account;--",
        "\" OR \"\"=\"",
        "' OR 1=1 --",
        "x') ON CONFLICT DO NOTHING;--",
        "%",
        "_",
        "*",
        "?1",
        ":a",
        "@a",
        "$a",
        "[name]",
        "`name`",
        "NULL",
        "\\",
        "\\'",
        "/*",
        "--",
        ";",
        "a\nb",
        "\xc3\xa4\xf0\x9f\x92\xa9",
        "\xff\xfe",
        "1e999",
        "0x10",
        "rowid",
        "ada' UNION SELECT 1,2--",
};

static char directory[64], path[128];
static struct store *store;

static inline struct store *open_store(bool create) {
        struct store *opened = NULL;
        char why[STORE_WHY_MAX] = "";

        if (store_open(path, create, false, &opened, why) < 0)
                fail_msg("store_open: %s", why);
        return opened;
}

static inline void make_directory(void) {
        (void)snprintf(directory, sizeof(directory), "/tmp/exc-cloud-XXXXXX");
        if (!mkdtemp(directory))
                abort();
        (void)snprintf(path, sizeof(path), "%s/compute.db", directory);
}

static inline void remove_directory(void) {
        static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
        char name[160];

        for (size_t i = 0; i < ELEMENTS(suffixes); i++) {
                (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
                (void)unlink(name);
        }
        assert_int_equal(rmdir(directory), 0);
}

static inline int set_up(void **state) {
        (void)state;
        make_directory();
        store = open_store(true);
        return 0;
}

static inline int tear_down(void **state) {
        (void)state;
        store_close(store);
        store = NULL;
        remove_directory();
        return 0;
}

/* Another connection, for what the store offers no operation for. */
static inline void raw_sql(const char *sql) {
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        (void)sqlite3_busy_timeout(db, 60000);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        (void)sqlite3_close(db);
}

static inline int64_t raw_number(const char *sql) {
        sqlite3_stmt *statement = NULL;
        sqlite3 *db = NULL;
        int64_t number;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        number = sqlite3_column_int64(statement, 0);
        (void)sqlite3_finalize(statement);
        (void)sqlite3_close(db);
        return number;
}

static inline struct store_token a_token(const char *id, const char *account) {
        struct store_token token = {.created = NOW, .expires = NOW + 3600};

        (void)snprintf(token.id, sizeof(token.id), "%s", id);
        (void)snprintf(token.account, sizeof(token.account), "%s", account);
        memset(token.secret_hash, id[0], sizeof(token.secret_hash));
        return token;
}

static inline struct store_instance an_instance(const char *id) {
        struct store_instance instance = {
                .host = "h1", .default_user = "debian", .addresses = {.public_ipv4 = "192.0.2.1", .port = 22}};

        (void)snprintf(instance.id, sizeof(instance.id), "%s", id);
        return instance;
}

static inline struct store_keypair a_keypair(const char *account, const char *name) {
        struct store_keypair keypair = {.type = "ssh-ed25519",
                                        .public_key = "ssh-ed25519 AAAA",
                                        .fingerprint = "SHA256:abc",
                                        .fingerprint_md5 = "00:11",
                                        .created = NOW};

        (void)snprintf(keypair.account, sizeof(keypair.account), "%s", account);
        (void)snprintf(keypair.name, sizeof(keypair.name), "%s", name);
        return keypair;
}

static inline struct store_session a_session(uint8_t fill, const char *account, const char *instance) {
        struct store_session session = {.token_id = "aaaaaaaa", .user = "ada", .request_id = "r-1"};

        memset(session.hash, fill, sizeof(session.hash));
        (void)snprintf(session.account, sizeof(session.account), "%s", account);
        (void)snprintf(session.instance, sizeof(session.instance), "%s", instance);
        return session;
}

static inline enum store_result put_policy(const char *name, const char *text, int64_t expected,
                                           struct store_policy *ret) {
        return store_policy_put(store, name, text, strlen(text), expected, NOW, ret);
}

static inline enum store_result put_instance(const struct store_instance *instance, int64_t expected) {
        int64_t version;

        return store_instance_put(store, instance, expected, NOW, &version);
}

#endif
