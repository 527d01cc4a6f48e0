/* SPDX-License-Identifier: Apache-2.0 */
/* The database as a file: its owner and mode, other versions, other processes, a full disk, damage. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "cloud/store/schema.h"
#include "tests/unit/cloud_store_fixture.h"

enum { OTHER_USER = 60003 };

static int set_up_directory(void **state) {
        (void)state;
        make_directory();
        return 0;
}

static int tear_down_directory(void **state) {
        (void)state;
        remove_directory();
        return 0;
}

static void assert_refused(const char *file, bool create, int error, const char *phrase) {
        struct store *opened = NULL;
        char why[STORE_WHY_MAX] = "";

        assert_int_equal(store_open(file, create, false, &opened, why), error);
        assert_null(opened);
        if (!strstr(why, phrase))
                fail_msg("'%s' is not in: %s", phrase, why);
}

static mode_t mode_of(const char *suffix) {
        char name[160];
        struct stat st;

        (void)snprintf(name, sizeof(name), "%s%s", path, suffix);
        assert_int_equal(stat(name, &st), 0);
        return st.st_mode & 07777;
}

static void files_are_the_owners_alone(void **state) {
        mode_t before = umask(0);

        (void)state;
        store = open_store(true);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(mode_of(""), 0600);
        assert_int_equal(mode_of("-wal"), 0600);
        assert_int_equal(mode_of("-shm"), 0600);
        store_close(store);
        (void)umask(before);
        assert_int_equal(chmod(path, 0640), 0);
        store_close(open_store(false));
}

static void missing_database_is_made_only_when_asked(void **state) {
        (void)state;
        assert_refused(path, false, -ENOENT, "exc-compute-admin init");
        assert_int_equal(access(path, F_OK), -1);
        store_close(open_store(true));
        store_close(open_store(true));
        store_close(open_store(false));
}

static void file_of_others_is_refused(void **state) {
        static const mode_t modes[] = {0660, 0620, 0604, 0602, 0644, 0700, 0610};
        char name[160];

        (void)state;
        store_close(open_store(true));
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                assert_int_equal(chmod(path, modes[i]), 0);
                assert_refused(path, false, -EPERM, "run chmod 0600");
        }
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(chown(path, OTHER_USER, OTHER_USER), 0);
        assert_refused(path, true, -EPERM, "owned by user id 60003, expected 0");
        assert_int_equal(chown(path, 0, 0), 0);

        (void)snprintf(name, sizeof(name), "%s/link", directory);
        assert_int_equal(symlink(path, name), 0);
        assert_refused(name, false, -EPERM, "not a regular file with one link");
        assert_refused(name, true, -EPERM, "not a regular file with one link");
        assert_int_equal(unlink(name), 0);
        assert_int_equal(link(path, name), 0);
        assert_refused(path, false, -EPERM, "not a regular file with one link");
        assert_int_equal(unlink(name), 0);
        assert_int_equal(mkfifo(name, 0600), 0);
        assert_refused(name, false, -EPERM, "not a regular file with one link");
        assert_int_equal(unlink(name), 0);
        store_close(open_store(false));
}

static void directory_of_others_is_refused(void **state) {
        (void)state;
        assert_int_equal(chmod(directory, 0770), 0);
        assert_refused(path, true, -EPERM, "chmod go-w");
        assert_int_equal(chmod(directory, 01777), 0);
        assert_refused(path, true, -EPERM, "chmod go-w");
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(chmod(directory, 0755), 0);
        assert_int_equal(chown(directory, OTHER_USER, OTHER_USER), 0);
        assert_refused(path, true, -EPERM, "owned by user id 60003");
        assert_int_equal(chown(directory, 0, 0), 0);
        assert_refused("/nonexistent/compute.db", true, -ENOENT, "/nonexistent/");
        assert_refused("/tmp/", true, -EINVAL, "not the path of a file");
        store_close(open_store(true));
}

static void directory_may_be_reached_by_a_link(void **state) {
        char link_name[160], through[200];
        struct store *opened;
        char why[STORE_WHY_MAX];

        (void)state;
        (void)snprintf(link_name, sizeof(link_name), "%s-link", directory);
        (void)snprintf(through, sizeof(through), "%s/compute.db", link_name);
        assert_int_equal(symlink(directory, link_name), 0);
        assert_int_equal(store_open(through, true, false, &opened, why), 0);
        store_close(opened);
        assert_int_equal(unlink(link_name), 0);
        store_close(open_store(false));
}

static void it_is_a_write_ahead_log(void **state) {
        char why[STORE_WHY_MAX];

        (void)state;
        store_close(open_store(true));
        assert_int_equal(raw_number("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
        assert_int_equal(store_open(path, false, true, &store, why), 0);
        assert_int_equal(sqlite3_exec(store->db, "SELECT 1", NULL, NULL, NULL), SQLITE_OK);
        store_close(store);
}

static int64_t pragma_of(struct store *handle, const char *sql) {
        sqlite3_stmt *statement = NULL;
        int64_t number;

        assert_int_equal(sqlite3_prepare_v2(handle->db, sql, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        number = sqlite3_column_int64(statement, 0);
        (void)sqlite3_finalize(statement);
        return number;
}

static void settings_are_in_force(void **state) {
        char why[STORE_WHY_MAX];
        struct store *durable;

        (void)state;
        store = open_store(true);
        assert_int_equal(store_open(path, false, true, &durable, why), 0);
        assert_int_equal(pragma_of(store, "PRAGMA synchronous"), 1);
        assert_int_equal(pragma_of(durable, "PRAGMA synchronous"), 2);
        assert_int_equal(pragma_of(store, "PRAGMA foreign_keys"), 1);
        assert_int_equal(pragma_of(store, "PRAGMA trusted_schema"), 0);
        assert_int_equal(pragma_of(store, "PRAGMA cell_size_check"), 1);
        assert_int_equal(pragma_of(store, "PRAGMA busy_timeout"), 5000);
        assert_int_equal(pragma_of(store, "SELECT count(*) FROM pragma_table_list "
                                          "WHERE name NOT LIKE 'sqlite_%' AND NOT strict"),
                         0);
        /* Defensive: the schema cannot be written to. */
        (void)sqlite3_exec(store->db, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
        assert_int_not_equal(sqlite3_exec(store->db, "DELETE FROM sqlite_schema", NULL, NULL, NULL), SQLITE_OK);
        store_close(durable);
        store_close(store);
}

/* --- versions ------------------------------------------------------------------------------------------------------ */

static const char *const old_steps[] = {"CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (7);"};
static const char *const new_steps[] = {
        "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (7);",
        "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'n';",
        "CREATE TABLE b (z INTEGER) STRICT; INSERT INTO b SELECT x FROM a;",
};
static const char *const bad_steps[] = {
        "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (7);",
        "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'n';",
        "CREATE TABLE b (z INTEGER) STRICT; INSERT INTO b SELECT missing FROM a;",
};

static sqlite3 *raw_open(void) {
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
        return db;
}

static void older_schema_is_brought_forward(void **state) {
        char why[STORE_WHY_MAX];
        sqlite3 *db = raw_open();

        (void)state;
        assert_int_equal(schema_bring_forward(db, old_steps, 1, why), 0);
        assert_int_equal(raw_number("PRAGMA user_version"), 1);
        assert_int_equal(schema_bring_forward(db, new_steps, 3, why), 0);
        assert_int_equal(raw_number("PRAGMA user_version"), 3);
        assert_int_equal(raw_number("SELECT z FROM b"), 7);
        assert_int_equal(raw_number("SELECT count(*) FROM a WHERE y = 'n'"), 1);
        assert_int_equal(schema_bring_forward(db, new_steps, 3, why), 0);
        assert_int_equal(raw_number("SELECT count(*) FROM b"), 1);
        assert_int_equal(schema_bring_forward(db, old_steps, 1, why), -EPROTONOSUPPORT);
        assert_non_null(strstr(why, "version 3 is newer than this program's, 1"));
        (void)sqlite3_close(db);
}

static void failed_step_leaves_the_older_schema(void **state) {
        char why[STORE_WHY_MAX];
        sqlite3 *db = raw_open();

        (void)state;
        assert_int_equal(schema_bring_forward(db, old_steps, 1, why), 0);
        assert_true(schema_bring_forward(db, bad_steps, 3, why) < 0);
        assert_non_null(strstr(why, "from version 1 to 3"));
        assert_non_null(strstr(why, "missing"));
        assert_int_equal(raw_number("PRAGMA user_version"), 1);
        assert_int_equal(raw_number("SELECT count(*) FROM sqlite_schema"), 1);
        assert_int_equal(raw_number("SELECT count(*) FROM pragma_table_info('a')"), 1);
        assert_int_equal(schema_bring_forward(db, new_steps, 3, why), 0);
        (void)sqlite3_close(db);
}

static void newer_database_is_refused(void **state) {
        (void)state;
        store_close(open_store(true));
        raw_sql("PRAGMA user_version = 1000");
        assert_refused(path, false, -EPROTONOSUPPORT, "newer than this program's");
        raw_sql("PRAGMA user_version = -1");
        assert_refused(path, false, -EPROTONOSUPPORT, "version -1");
        assert_int_equal(raw_number("PRAGMA user_version"), -1);
}

/* --- other processes and threads ----------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 50 };

struct racer {
        pthread_t thread;
        int number, added, lost;
        bool failed;
};

/* Opens the same new database, and adds accounts that the others add too, and instances of its own. */
static void *race(void *argument) {
        struct racer *racer = argument;
        char why[STORE_WHY_MAX], name[32];
        struct store_instance instance;
        struct store *handle = NULL;
        int64_t version;

        if (store_open(path, true, false, &handle, why) < 0) {
                (void)fprintf(stderr, "# %s\n", why);
                racer->failed = true;
                return NULL;
        }
        for (int i = 0; i < ROUNDS; i++) {
                enum store_result result;

                (void)snprintf(name, sizeof(name), "shared-%d", i);
                result = store_account_add(handle, name, NOW);
                racer->added += result == STORE_OK;
                racer->lost += result == STORE_CONFLICT;
                (void)snprintf(name, sizeof(name), "i-%d-%d", racer->number, i);
                instance = an_instance(name);
                racer->failed |= store_instance_put(handle, &instance, -1, NOW, &version) != STORE_CREATED;
        }
        store_close(handle);
        return NULL;
}

static void handles_of_many_threads_race(void **state) {
        struct racer racers[THREADS] = {0};
        int added = 0;

        (void)state;
        for (int i = 0; i < THREADS; i++) {
                racers[i].number = i;
                assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
                assert_false(racers[i].failed);
                assert_int_equal(racers[i].added + racers[i].lost, ROUNDS);
                added += racers[i].added;
        }
        assert_int_equal(added, ROUNDS);
        assert_int_equal(raw_number("SELECT count(*) FROM account"), ROUNDS);
        assert_int_equal(raw_number("SELECT count(*) FROM instance"), THREADS * ROUNDS);
        assert_int_equal(raw_number("SELECT count(*) FROM policy WHERE name = 'Admin'"), 1);
}

static void session_is_redeemed_by_one_handle_of_two(void **state) {
        struct store_session session, found;
        struct store *other;
        struct store_instance instance = an_instance("42");
        int redeemed = 0;

        (void)state;
        store = open_store(true);
        other = open_store(false);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        for (uint8_t i = 0; i < 50; i++) {
                session = a_session(i, "ada", "42");
                assert_int_equal(store_session_add(store, &session), STORE_OK);
                redeemed += store_session_redeem(i % 2 ? store : other, session.hash, "ada", &found) == STORE_OK;
                redeemed += store_session_redeem(i % 2 ? other : store, session.hash, "ada", &found) == STORE_OK;
        }
        assert_int_equal(redeemed, 50);
        store_close(other);
        store_close(store);
}

static void reads_are_of_one_moment_until_they_end(void **state) {
        struct store_account account;
        struct store *other;

        (void)state;
        store = open_store(true);
        other = open_store(false);
        assert_int_equal(store_account_add(other, "ada", NOW), STORE_OK);
        store_read_begin(store);
        assert_int_equal(store_account_get(store, "ada", &account), STORE_OK);
        assert_int_equal(store_account_add(other, "bob", NOW), STORE_OK);
        assert_int_equal(store_account_delete(other, "ada"), STORE_OK);
        assert_int_equal(store_account_get(store, "ada", &account), STORE_OK);
        assert_int_equal(store_account_get(store, "bob", &account), STORE_NOT_FOUND);
        store_read_end(store);
        store_read_end(store);
        assert_int_equal(store_account_get(store, "ada", &account), STORE_NOT_FOUND);
        assert_int_equal(store_account_get(store, "bob", &account), STORE_OK);
        store_close(other);
        store_close(store);
}

/* A write of what has changed since would fail, and so would another transaction. */
static void reads_of_one_moment_end_with_a_write(void **state) {
        struct store_policy policy;
        struct store_account account;
        struct store *other;

        (void)state;
        store = open_store(true);
        other = open_store(false);
        for (int i = 0; i < 2; i++) {
                char name[] = {'a', (char)('0' + i), '\0'}, its_own[] = {'b', (char)('0' + i), '\0'};

                store_read_begin(store);
                assert_int_equal(store_account_get(store, name, &account), STORE_NOT_FOUND);
                assert_int_equal(store_account_add(other, name, NOW), STORE_OK);
                if (i == 0)
                        assert_int_equal(store_account_add(store, its_own, NOW), STORE_OK);
                else
                        assert_int_equal(store_policy_put(store, "p", "{}", 2, 0, NOW, &policy), STORE_CREATED);
                assert_int_equal(store_account_get(store, name, &account), STORE_OK);
                store_read_end(store);
                /* It is nobody's turn to write. */
                assert_int_equal(store_account_delete(other, name), STORE_OK);
        }
        store_close(other);
        store_close(store);
}

static void log_is_copied_into_the_database_as_it_grows(void **state) {
        static char text[30000];
        struct store_policy policy;
        char name[160];
        struct stat st;

        (void)state;
        store = open_store(true);
        memset(text, 'x', sizeof(text));
        for (int i = 0; i < 1000; i++) /* 30 MB */
                assert_true(store_policy_put(store, "p", text, sizeof(text), 0, NOW, &policy) <= STORE_CREATED);
        (void)snprintf(name, sizeof(name), "%s-wal", path);
        assert_int_equal(stat(name, &st), 0);
        assert_in_range(st.st_size, 1, 8 * 1024 * 1024);
        store_close(store);
}

/* A handle that waits for its turn gives up, and the next one is not kept out. */
static void writer_that_fails_gives_its_turn_back(void **state) {
        struct store_account account;
        struct store *other;
        sqlite3 *db;

        (void)state;
        store = open_store(true);
        other = open_store(false);
        db = raw_open();
        (void)sqlite3_busy_timeout(store->db, 10);
        (void)sqlite3_busy_timeout(other->db, 10);
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(store_account_delete(store, "ada"), STORE_UNAVAILABLE);
        assert_int_equal(store_account_add(other, "ada", NOW), STORE_UNAVAILABLE);
        assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(db);
        assert_int_equal(store_account_add(other, "ada", NOW), STORE_OK);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_CONFLICT);
        assert_int_equal(store_account_delete(store, "bob"), STORE_NOT_FOUND);
        assert_int_equal(store_attach(other, "ada", "none"), STORE_INVALID);
        assert_int_equal(store_account_delete(store, "ada"), STORE_OK);
        assert_int_equal(store_account_get(other, "ada", &account), STORE_NOT_FOUND);
        store_close(other);
        store_close(store);
}

/* What it reported through the pipe must be there when it is killed in the middle. */
static void killed_writer_loses_nothing_that_it_was_answered(void **state) {
        struct store_instance found;
        char id[32];
        uint32_t n;
        int fds[2];
        pid_t child;

        (void)state;
        store_close(open_store(true));
        for (int round = 0; round < 5; round++) {
                assert_int_equal(pipe(fds), 0);
                (void)fflush(NULL);
                child = fork();
                assert_true(child >= 0);
                if (child == 0) {
                        char why[STORE_WHY_MAX];
                        struct store_instance instance;
                        int64_t version;

                        if (store_open(path, false, false, &store, why) < 0)
                                _exit(1);
                        for (n = 1;; n++) {
                                (void)snprintf(id, sizeof(id), "i%d-%u", round, n);
                                instance = an_instance(id);
                                if (store_instance_put(store, &instance, -1, NOW, &version) != STORE_CREATED ||
                                    write(fds[1], &n, sizeof(n)) != (ssize_t)sizeof(n))
                                        _exit(1);
                        }
                }
                (void)close(fds[1]);
                for (int i = 0; i < 40 + round; i++)
                        assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(waitpid(child, NULL, 0), child);
                while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
                        ;
                (void)close(fds[0]);
                store = open_store(false);
                for (uint32_t i = 1; i <= n; i++) {
                        (void)snprintf(id, sizeof(id), "i%d-%u", round, i);
                        assert_int_equal(store_instance_get(store, id, &found), STORE_OK);
                }
                assert_int_equal(raw_number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
                                 1);
                store_close(store);
        }
}

static void locked_database_is_unavailable_until_it_is_free(void **state) {
        struct store_account account;
        sqlite3 *db;

        (void)state;
        store = open_store(true);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        db = raw_open();
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        /* The limit is 5 s, which a test need not wait for. */
        (void)sqlite3_busy_timeout(store->db, 50);
        assert_int_equal(store_account_add(store, "bob", NOW), STORE_UNAVAILABLE);
        assert_non_null(strstr(store_why(store), "locked"));
        assert_non_null(strstr(store_why(store), path));
        assert_int_equal(store_account_delete(store, "ada"), STORE_UNAVAILABLE);
        assert_int_equal(store_account_get(store, "ada", &account), STORE_OK); /* readers do not wait for writers */
        assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(store_account_add(store, "bob", NOW), STORE_OK);
        (void)sqlite3_close(db);
        store_close(store);
}

/* --- disks --------------------------------------------------------------------------------------------------------- */

static void full_disk_is_unavailable_and_loses_nothing(void **state) {
        static char text[30000];
        enum store_result result = STORE_CREATED;
        struct store_policy policy, list[1000];
        struct store_account account;
        size_t n, before = 0, length;
        char name[32], *found;

        (void)state;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=2m,mode=0700") < 0)
                fail_msg("these tests run as root: %s", strerror(errno));
        store = open_store(true);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        memset(text, 'x', sizeof(text));
        for (int i = 0; i < 1000 && result == STORE_CREATED; i++, before++) {
                (void)snprintf(name, sizeof(name), "p%03d", i);
                result = store_policy_put(store, name, text, sizeof(text), 0, NOW, &policy);
        }
        before--;
        assert_int_equal(result, STORE_UNAVAILABLE);
        assert_true(before > 10);
        assert_non_null(strstr(store_why(store), "free room"));
        /* What was there is there, whole, and no more than that. */
        assert_int_equal(store_account_get(store, "ada", &account), STORE_OK);
        assert_int_equal(store_policy_list(store, "Admin", ELEMENTS(list), list, &n), STORE_OK);
        assert_int_equal(n, before);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(store_policy_text(store, list[i].version, &found, &length), STORE_OK);
                assert_int_equal(length, sizeof(text));
                assert_memory_equal(found, text, sizeof(text));
                free(found);
        }
        /* It goes on when there is room again. */
        assert_int_equal(mount("tmpfs", directory, "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV, "size=16m"), 0);
        assert_int_equal(store_policy_put(store, "later", text, sizeof(text), 0, NOW, &policy), STORE_CREATED);
        assert_int_equal(raw_number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
        store_close(store);
        assert_int_equal(umount2(directory, MNT_DETACH), 0);
}

static void overwrite(off_t offset, const char *bytes, size_t n) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, bytes, n, offset), n);
        (void)close(fd);
}

static void damaged_database_is_unavailable(void **state) {
        static const char garbage[4096] = "garbage";
        struct store_instance instance;
        int64_t page;
        char id[16];

        (void)state;
        store = open_store(true);
        for (int i = 0; i < 200; i++) {
                (void)snprintf(id, sizeof(id), "i%03d", i);
                instance = an_instance(id);
                assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        }
        store_close(store); /* the last handle empties the log into the database */
        page = raw_number("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_instance_1'");
        overwrite((page - 1) * 4096, garbage, sizeof(garbage));
        store = open_store(false);
        assert_int_equal(store_instance_get(store, "i007", &instance), STORE_UNAVAILABLE);
        assert_non_null(strstr(store_why(store), "damaged"));
        instance = an_instance("new");
        assert_int_equal(put_instance(&instance, 0), STORE_UNAVAILABLE);
        store_close(store);

        overwrite(0, garbage, 100);
        assert_refused(path, true, -EBADMSG, "damaged: restore it from a backup");
}

static void value_that_the_store_does_not_write_is_damage(void **state) {
        struct store_account account;
        struct store_token token;

        (void)state;
        store = open_store(true);
        raw_sql("INSERT INTO account VALUES ('long', 1)");
        raw_sql("INSERT INTO token VALUES ('longer-than-8', 'long', zeroblob(32), 1, 1)");
        assert_int_equal(store_account_get(store, "long", &account), STORE_OK);
        assert_int_equal(store_token_get(store, "longer-than-8", &token), STORE_UNAVAILABLE);
        assert_non_null(strstr(store_why(store), "damaged"));
        store_close(store);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(files_are_the_owners_alone, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(missing_database_is_made_only_when_asked, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(file_of_others_is_refused, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(directory_of_others_is_refused, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(directory_may_be_reached_by_a_link, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(it_is_a_write_ahead_log, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(settings_are_in_force, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(older_schema_is_brought_forward, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(failed_step_leaves_the_older_schema, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(newer_database_is_refused, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(handles_of_many_threads_race, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(session_is_redeemed_by_one_handle_of_two, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(reads_are_of_one_moment_until_they_end, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(reads_of_one_moment_end_with_a_write, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(log_is_copied_into_the_database_as_it_grows, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(writer_that_fails_gives_its_turn_back, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(killed_writer_loses_nothing_that_it_was_answered, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(locked_database_is_unavailable_until_it_is_free, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(full_disk_is_unavailable_and_loses_nothing, set_up_directory,
                                                tear_down_directory),
                cmocka_unit_test_setup_teardown(damaged_database_is_unavailable, set_up_directory, tear_down_directory),
                cmocka_unit_test_setup_teardown(value_that_the_store_does_not_write_is_damage, set_up_directory,
                                                tear_down_directory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
