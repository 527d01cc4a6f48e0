/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the database costs a connect, by operation, with N instances in it:
 *
 *         cloud_store PATH N [ROUNDS]
 *
 * PATH is a database that is made for this, and removed. Prints a line for each operation: its name, and the median, the
 * mean and the 99th percentile in microseconds.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <unistd.h>

#include "cloud/store/store.h"
#include "tests/bench/bench.h"

enum { ROUNDS = 5000 };

static struct store *store;
static size_t instances;
static char id[STORE_NAME_MAX]; /* of the instance of this round */
static size_t number;           /* of the round */

/* All in one statement: the operations would take minutes. */
static void fill(const char *path, size_t n) {
        char sql[1024];
        sqlite3 *db;

        (void)snprintf(
                sql, sizeof(sql),
                "INSERT INTO account VALUES ('ada', 1);"
                "INSERT INTO token VALUES ('abcdefgh', 'ada', zeroblob(32), 1, 4000000000);"
                "INSERT INTO attachment VALUES ('ada', 'Admin');"
                "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < %zu) "
                "INSERT INTO instance SELECT 'i-' || i, 'vm-' || i || '.example', 'host-' || (i %% 1000), 'debian', "
                "'192.0.2.1', '10.0.0.1', '2001:db8::1', 22, NULL, NULL, 0, 'vsock', 'reachable', 1, 1, 1 FROM c;"
                "PRAGMA wal_checkpoint(TRUNCATE);",
                n);
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
            sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                die("%s: %s", path, sqlite3_errmsg(db));
        (void)sqlite3_close(db);
}

static enum store_result token_get(void) {
        struct store_token token;

        return store_token_get(store, "abcdefgh", &token);
}

static enum store_result attached(void) {
        struct store_policy *policies;
        enum store_result result;
        size_t n;

        result = store_attached(store, "ada", &policies, &n);
        if (result == STORE_OK)
                free(policies);
        return result;
}

static enum store_result instance_get(void) {
        struct store_instance instance;

        return store_instance_get(store, id, &instance);
}

static enum store_result revocation_latest(void) {
        int64_t latest;

        return store_revocation_latest(store, &latest);
}

static enum store_result revocation_since(void) {
        bool revoked;

        return store_revocation_since(store, 0, id, "SHA256:abc", "debian", "debian", &revoked);
}

static enum store_result session_add(void) {
        struct store_session session = {
                .account = "ada", .token_id = "abcdefgh", .user = "debian", .request_id = "0123456789abcdef"};

        memcpy(session.hash, &number, sizeof(number));
        memcpy(session.instance, id, sizeof(id));
        return store_session_add(store, &session);
}

static enum store_result host_keys_seen(void) {
        static const struct store_host_keys keys = {.n = 2, .line = {"ssh-ed25519 AAAA", "ssh-rsa AAAA"}};
        bool changed;

        return store_host_keys_seen(store, id, &keys, &changed);
}

static const struct {
        const char *name;
        enum store_result (*run)(void);
} operations[] = {
        {"token_get", token_get},
        {"attached", attached},
        {"instance_get", instance_get},
        {"revocation_latest", revocation_latest},
        {"revocation_since", revocation_since},
        {"session_add", session_add},
        {"host_keys_seen, new", host_keys_seen},
        {"host_keys_seen, same", host_keys_seen},
};

static void measure(size_t operation, size_t rounds) {
        int64_t *ns = calloc(rounds, sizeof(*ns)), sum = 0, median;
        uint64_t random = 1;

        if (!ns)
                die("no memory");
        for (number = 0; number < rounds; number++) {
                int64_t start;

                random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                (void)snprintf(id, sizeof(id), "i-%zu", (size_t)(random >> 33) % instances);
                start = now_ns();
                if (operations[operation].run() != STORE_OK)
                        die("%s: %s", operations[operation].name, store_why(store));
                ns[number] = now_ns() - start;
                sum += ns[number];
        }
        median = median_ns(ns, rounds); /* sorts them */
        (void)printf("%-22s %8.1f %8.1f %8.1f\n", operations[operation].name, (double)median / 1000,
                     (double)sum / (double)rounds / 1000, (double)ns[rounds * 99 / 100] / 1000);
        free(ns);
}

int main(int argc, char **argv) {
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        char why[STORE_WHY_MAX], name[4096];
        size_t rounds = ROUNDS;

        if (argc < 3 || argc > 4)
                die("usage: cloud_store PATH INSTANCES [ROUNDS]");
        instances = count_argument(argv[2]);
        if (argc == 4)
                rounds = count_argument(argv[3]);
        if (store_open(argv[1], true, false, &store, why) < 0)
                die("%s", why);
        store_close(store);
        fill(argv[1], instances);
        if (store_open(argv[1], false, false, &store, why) < 0)
                die("%s", why);
        (void)printf("%zu instances             median     mean      99%% (us)\n", instances);
        for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
                measure(i, rounds);
        store_close(store);
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
                (void)snprintf(name, sizeof(name), "%s%s", argv[1], suffixes[i]);
                (void)unlink(name);
        }
        return 0;
}
