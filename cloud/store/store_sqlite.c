/* SPDX-License-Identifier: Apache-2.0 */
/* The database as a file: who may have it, and how it is opened. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cloud/store/query.h"
#include "cloud/store/schema.h"

enum {
        VALUE_MAX = 1024 * 1024,           /* bytes of a value, and of a row */
        WAL_SIZE_LIMIT = 64 * 1024 * 1024, /* bytes that stay allocated after a checkpoint */
};

__attribute__((format(printf, 4, 5))) static int refuse(const char *path, int error, char ret_why[static STORE_WHY_MAX],
                                                        const char *format, ...) {
        va_list arguments;
        size_t used;

        (void)snprintf(ret_why, STORE_WHY_MAX, "%.100s: ", path);
        used = strlen(ret_why);
        va_start(arguments, format);
        (void)vsnprintf(ret_why + used, STORE_WHY_MAX - used, format, arguments);
        va_end(arguments);
        return error;
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

/* Anyone who can write to the directory can put another database there. */
static int check_directory(const char *directory, int fd, char ret_why[static STORE_WHY_MAX]) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return refuse(directory, -errno, ret_why, "cannot stat: %s", strerror(errno));
        if (st.st_uid != geteuid() && st.st_uid != 0)
                return refuse(directory, -EPERM, ret_why,
                              "owned by user id %u, expected %u; run as its owner, or chown it", st.st_uid, geteuid());
        if (st.st_mode & (S_IWGRP | S_IWOTH))
                return refuse(directory, -EPERM, ret_why, "writable by others than its owner; run chmod go-w on it");
        return 0;
}

/*
 * The database is never opened here: to close any descriptor of a file drops the locks that other handles of this process
 * have on it (fcntl(2), POSIX locks).
 */
static int check_file(const char *path, int directory_fd, const char *name, bool create,
                      char ret_why[static STORE_WHY_MAX]) {
        struct stat st;

        if (create && mknodat(directory_fd, name, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
                return refuse(path, -errno, ret_why, "cannot make it: %s", strerror(errno));
        if (fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return refuse(path, -errno, ret_why, "%s%s", strerror(errno),
                              errno == ENOENT ? "; make it with: exc-compute-admin init" : "");
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
                return refuse(path, -EPERM, ret_why, "not a regular file with one link; move it away");
        if (st.st_uid != geteuid())
                return refuse(path, -EPERM, ret_why, "owned by user id %u, expected %u; run as its owner, or chown it",
                              st.st_uid, geteuid());
        if (st.st_mode & (S_IXUSR | S_IWGRP | S_IXGRP | S_IRWXO))
                return refuse(path, -EPERM, ret_why, "mode %04o, expected 0600 or 0640; run chmod 0600 on it",
                              st.st_mode & 07777U);
        return 0;
}

/* Symbolic links on the way to the directory are the administrator's; SQLite takes none at all. */
static int check_path(const char *path, bool create, char ret_real[static PATH_MAX],
                      char ret_why[static STORE_WHY_MAX]) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char directory[PATH_MAX], real[PATH_MAX];
        int n, fd, r;

        n = snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
        if (n >= (int)sizeof(directory) || !*name)
                return refuse(path, -EINVAL, ret_why, "not the path of a file");
        if (!realpath(directory, real))
                return refuse(directory, -errno, ret_why, "%s", strerror(errno));
        fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return refuse(directory, -errno, ret_why, "cannot open: %s", strerror(errno));
        r = check_directory(directory, fd, ret_why);
        if (r >= 0)
                r = check_file(path, fd, name, create, ret_why);
        (void)close(fd);
        if (r < 0)
                return r;
        n = snprintf(ret_real, PATH_MAX, "%s/%s", real, name);
        return n < PATH_MAX ? 0 : refuse(path, -ENAMETOOLONG, ret_why, "the path is too long");
}

/* --- the handle ---------------------------------------------------------------------------------------------------- */

/*
 * A database is data, not code: with these settings nothing in a file that somebody else wrote runs, and a damaged cell is
 * found when its page is read.
 */
static int configure(sqlite3 *db) {
        static const struct {
                int option, value;
        } settings[] = {
                {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                {SQLITE_DBCONFIG_ENABLE_FKEY, 1}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_DQS_DML, 0},
                {SQLITE_DBCONFIG_DQS_DDL, 0},
        };
        int error = sqlite3_busy_timeout(db, STORE_BUSY_TIMEOUT_MS), is;

        for (size_t i = 0; error == SQLITE_OK && i < sizeof(settings) / sizeof(settings[0]); i++) {
                is = -1;
                error = sqlite3_db_config(db, settings[i].option, settings[i].value, &is);
                /* A library that was built without one of them says so by its value. */
                if (error == SQLITE_OK && is != settings[i].value)
                        error = SQLITE_MISUSE;
        }
        (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
        (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
        return error;
}

/* SQLITE_OK where the answer is "wal": a file system without shared memory gets another mode, and no error. */
static int ask_for_wal(sqlite3 *db) {
        sqlite3_stmt *statement;
        bool is_wal = false;
        int error = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

        if (error != SQLITE_OK)
                return error;
        if (sqlite3_step(statement) == SQLITE_ROW) {
                const unsigned char *mode = sqlite3_column_text(statement, 0);

                is_wal = mode && strcmp((const char *)mode, "wal") == 0;
        }
        error = sqlite3_finalize(statement);
        return error == SQLITE_OK && !is_wal ? SQLITE_PROTOCOL : error;
}

/* The first handle of a new database changes the mode; those that race with it get SQLITE_BUSY at once. */
static int set_wal(sqlite3 *db) {
        const struct timespec wait = {.tv_nsec = 10 * 1000 * 1000};
        int error = SQLITE_OK;

        for (int ms = 0; ms < STORE_BUSY_TIMEOUT_MS; ms += 10) {
                error = ask_for_wal(db);
                if ((error & 0xff) != SQLITE_BUSY)
                        break;
                (void)nanosleep(&wait, NULL);
        }
        return error;
}

static int set_up(sqlite3 *db, bool durable) {
        char limit[64];
        int error = configure(db);

        if (error == SQLITE_OK)
                error = sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
        if (error == SQLITE_OK)
                error = set_wal(db);
        if (error == SQLITE_OK)
                error = sqlite3_exec(db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
                                     NULL, NULL);
        (void)snprintf(limit, sizeof(limit), "PRAGMA journal_size_limit = %d", WAL_SIZE_LIMIT);
        return error == SQLITE_OK ? sqlite3_exec(db, limit, NULL, NULL, NULL) : error;
}

int store_open(const char *path, bool create, bool durable, struct store **ret, char ret_why[static STORE_WHY_MAX]) {
        const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
        char real[PATH_MAX], why[STORE_WHY_MAX];
        struct store *store;
        int error, r;

        r = check_path(path, create, real, ret_why);
        if (r < 0)
                return r;
        store = calloc(1, sizeof(*store));
        if (!store)
                return refuse(path, -ENOMEM, ret_why, "out of memory");
        (void)snprintf(store->path, sizeof(store->path), "%s", path);
        error = sqlite3_open_v2(real, &store->db, flags, NULL);
        if (error == SQLITE_OK)
                error = set_up(store->db, durable);
        if (error != SQLITE_OK) {
                r = store->db ? schema_errno(store->db, error) : -ENOMEM;
                if (store->db)
                        (void)store_failed(store, error);
                (void)snprintf(ret_why, STORE_WHY_MAX, "%s", store->db ? store->why : "out of memory");
        } else {
                (void)sqlite3_wal_hook(store->db, store_wal_hook, store);
                r = schema_bring_forward(store->db, schema_steps, schema_n_steps, why);
                if (r < 0)
                        (void)refuse(path, r, ret_why, "%s", why);
        }
        if (r < 0) {
                store_close(store);
                return r;
        }
        *ret = store;
        return 0;
}

void store_close(struct store *store) {
        if (!store)
                return;
        for (size_t i = 0; i < store->n_cached; i++)
                (void)sqlite3_finalize(store->cached[i].statement);
        (void)sqlite3_close(store->db);
        free(store);
}

const char *store_why(const struct store *store) {
        return store->why;
}
