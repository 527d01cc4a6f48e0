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
static int make_directories(const struct options *options) {
        char database[PATH_MAX], audit[PATH_MAX];
        int status;

        if (!directory_of(options->database, database) || !directory_of(options->audit, audit)) {
                complain("the path is too long");
                return EXIT_USAGE;
        }
        if (geteuid() != 0)
                return EXIT_DONE;
        status = become_make_directory(options->user, database);
        return status == EXIT_DONE ? become_make_directory(options->user, audit) : status;
}

static int make_audit_directory(const struct options *options) {
        if (mkdir(options->audit, 0750) == 0 || errno == EEXIST)
                return EXIT_DONE;
        complain("%s: cannot make the directory: %s; make it with: install -d -m 0750 -o %s %s", options->audit,
                 strerror(errno), options->user, options->audit);
        return EXIT_OWN_FAILURE;
}

/* Says what is there, and what one may miss. */
static int describe(const struct options *options, struct store *store) {
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
        complain("%s: the account " ADMIN_ACCOUNT " exists already: nothing was changed", options->database);
        if (!attached)
                complain("it has not the policy " ADMIN_POLICY
                         "; attach it with: exc-compute-admin policy attach " ADMIN_POLICY " " ADMIN_ACCOUNT);
        complain("for another token: exc-compute-admin token create " ADMIN_ACCOUNT);
        return EXIT_DONE;
}

static int make_admin(const struct options *options, struct store *store) {
        enum store_result result = store_account_add(store, ADMIN_ACCOUNT, (int64_t)time(NULL));
        int status;

        if (result == STORE_CONFLICT)
                return describe(options, store);
        if (result == STORE_OK)
                result = store_attach(store, ADMIN_ACCOUNT, ADMIN_POLICY);
        status = database_status(store, result, "account", ADMIN_ACCOUNT, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("iam:account:create", "exc:iam:account/" ADMIN_ACCOUNT " with the policy " ADMIN_POLICY);
        return status == EXIT_DONE ? token_make_and_print(options, store, ADMIN_ACCOUNT) : status;
}

static int init(const struct options *options, const char *const *arguments) {
        struct store *store;
        int status;

        (void)arguments;
        status = make_directories(options);
        if (status == EXIT_DONE)
                status = become(options->user, false);
        if (status == EXIT_DONE)
                status = make_audit_directory(options);
        if (status == EXIT_DONE)
                status = database_open(options, true, &store);
        if (status != EXIT_DONE)
                return status;
        status = make_admin(options, store);
        store_close(store);
        return status;
}

const struct command init_command = {
        .name = "init",
        .arguments = "",
        .summary = "make directories, database and the account " ADMIN_ACCOUNT ", and print its token",
        .takes = OPTION_EXPIRES_IN | OPTION_AUDIT,
        .run = init,
};
