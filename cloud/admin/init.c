/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "cloud/admin/become.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "cloud/admin/paths.h"
#include "cloud/admin/token.h"
#include "wire/refusal.h"

/* The directory of a path. False when it is too long. */
static bool directory_of(const char *path, char ret[static PATH_MAX]) {
        char copy[PATH_MAX];
        const char *directory;

        if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
                return false;
        directory = dirname(copy);
        memmove(ret, directory, strlen(directory) + 1);
        return true;
}

/*
 * As root: that of the database, and that of the audit log's directory. What is in them is made by their user, because
 * root would follow the links of anyone with that user.
 */
static int make_directories(const char *user, const char *database_path, const char *audit_path) {
        char database[PATH_MAX], audit[PATH_MAX];
        int status;

        if (!directory_of(database_path, database) || !directory_of(audit_path, audit)) {
                complain("the path is too long");
                return EXIT_USAGE;
        }
        if (geteuid() != 0)
                return EXIT_DONE;
        status = become_make_directory(user, database);
        return status == EXIT_DONE ? become_make_directory(user, audit) : status;
}

static int make_audit_directory(const char *user, const char *path) {
        if (mkdir(path, 0750) == 0 || errno == EEXIST)
                return EXIT_DONE;
        complain("%s: cannot make the directory: %s; make it with: install -d -m 0750 -o %s %s", path, strerror(errno),
                 user, path);
        return EXIT_OWN_FAILURE;
}

/* Says what is there, and what one may miss. */
static int describe(const char *database, struct store *store) {
        struct store_policy *policies;
        bool attached = false;
        size_t n;
        int status = database_status(store, store_attached(store, ADMIN_ACCOUNT, &policies, &n), "account",
                                     ADMIN_ACCOUNT, NULL, NULL);

        if (status != EXIT_DONE)
                return status;
        for (size_t i = 0; i < n; i++)
                attached = attached || strcmp(policies[i].name, ADMIN_POLICY) == 0;
        free(policies);
        complain("%s: the account " ADMIN_ACCOUNT " exists already: nothing was changed", database);
        if (!attached)
                complain("it has not the policy " ADMIN_POLICY
                         "; attach it with: exc-compute-admin policy attach " ADMIN_POLICY " " ADMIN_ACCOUNT);
        complain("for another token: exc-compute-admin token create " ADMIN_ACCOUNT);
        return EXIT_DONE;
}

static int make_admin(const struct options *options, const char *database, struct store *store) {
        enum store_result result = store_account_add(store, ADMIN_ACCOUNT, (int64_t)time(NULL));
        int status;

        if (result == STORE_CONFLICT)
                return describe(database, store);
        if (result == STORE_OK)
                result = store_attach(store, ADMIN_ACCOUNT, ADMIN_POLICY);
        status = database_status(store, result, "account", ADMIN_ACCOUNT, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("iam:account:create", "exc:iam:account/" ADMIN_ACCOUNT " with the policy " ADMIN_POLICY);
        return status == EXIT_DONE ? token_make_and_print(options, store, ADMIN_ACCOUNT) : status;
}

static int init(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *database = paths_database(options), *audit = database ? paths_audit(options) : NULL;
        struct store *store;
        int status;

        (void)line;
        if (!audit)
                return EXIT_OWN_FAILURE;
        status = make_directories(options->user, database, audit);
        if (status == EXIT_DONE)
                status = become(options->user, false);
        if (status == EXIT_DONE)
                status = make_audit_directory(options->user, audit);
        if (status == EXIT_DONE)
                status = database_create(database, &store);
        if (status != EXIT_DONE)
                return status;
        status = make_admin(options, database, store);
        store_close(store);
        return status;
}

const struct cli_command init_command = {
        .words = "init",
        .summary = "make directories, database and the account " ADMIN_ACCOUNT ", and print its token",
        .tables = {admin_expires_options, admin_audit_options},
        .run = init,
};
