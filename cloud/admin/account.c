/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/table.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "wire/name.h"
#include "wire/refusal.h"

/* Before the account is made: one without its policy is not what was asked for. */
static int check_policy(struct store *store, const char *name) {
        struct store_policy policy;

        return name ? database_status(store, store_policy_get(store, name, &policy), "policy", name, NULL, NULL)
                    : EXIT_DONE;
}

static int attach(struct store *store, const char *account, const char *policy) {
        int status = database_status(store, store_attach(store, account, policy), "policy", policy, NULL, NULL);

        if (status == EXIT_DONE)
                change_log("iam:account:attach", "exc:iam:account/%s the policy %s", account, policy);
        return status;
}

static int account_add(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0];
        struct store *store;
        int status;

        if (!name_account_valid(name)) {
                complain("account %s: a name has 1 to 64 letters, digits, '.', '_', '-' and '@', the first a letter or "
                         "a "
                         "digit",
                         name);
                return EXIT_USAGE;
        }
        status = database_open(options, &store);
        if (status != EXIT_DONE)
                return status;
        status = check_policy(store, options->policy);
        if (status == EXIT_DONE)
                status = database_status(store, store_account_add(store, name, (int64_t)time(NULL)), "account", name,
                                         NULL, NULL);
        if (status == EXIT_DONE)
                change_log("iam:account:create", "exc:iam:account/%s", name);
        if (status == EXIT_DONE && options->policy)
                status = attach(store, name, options->policy);
        store_close(store);
        return status;
}

/* --- list ---------------------------------------------------------------------------------------------------------- */

static const char *const headings[] = {"ACCOUNT", "CREATED", "POLICIES"};

static enum store_result read_accounts(struct store *store, const void *context, const char *after, size_t max,
                                       void *items, size_t *ret_n) {
        (void)context;
        return store_account_list(store, after, max, items, ret_n);
}

static const char *name_of(const void *item) {
        return ((const struct store_account *)item)->name;
}

static int show_json(const struct store_account *account, const struct store_policy *policies, size_t n) {
        json_t *names = json_array();
        char time[TIME_TEXT_MAX];

        for (size_t i = 0; i < n; i++)
                (void)json_array_append_new(names, json_string(policies[i].name));
        return print_json_new(json_pack("{ss ss so}", "name", account->name, "created_at",
                                        time_text(account->created, time), "policies", names));
}

static int show_row(struct table *table, const struct store_account *account, const struct store_policy *policies,
                    size_t n) {
        char text[1024] = "", time[TIME_TEXT_MAX];
        size_t used = 0;

        for (size_t i = 0; i < n && used < sizeof(text) - STORE_NAME_MAX - 8; i++) {
                bool last_that_fits = i + 1 < n && used + 2 * (STORE_NAME_MAX + 8) >= sizeof(text);

                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s", i ? " " : "", policies[i].name,
                                         last_that_fits ? " …" : "");
                if (last_that_fits)
                        break;
        }
        if (table_add(table, (const char *const[]){account->name, time_text(account->created, time), text}))
                return EXIT_DONE;
        complain("out of memory");
        return EXIT_OWN_FAILURE;
}

/* `context`: the table; NULL for JSON. */
static int show(void *context, struct store *store, const void *item) {
        const struct store_account *account = item;
        struct store_policy *policies;
        size_t n;
        int status = database_status(store, store_attached(store, account->name, &policies, &n), "account",
                                     account->name, NULL, NULL);

        if (status != EXIT_DONE)
                return status;
        status = context ? show_row(context, account, policies, n) : show_json(account, policies, n);
        free(policies);
        return status;
}

static int account_list(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct table table = {.headings = headings, .columns = sizeof(headings) / sizeof(headings[0])};
        const struct listing listing = {
                .item_size = sizeof(struct store_account),
                .read = read_accounts,
                .name = name_of,
                .show = show,
                .context = options->json ? NULL : &table,
        };
        struct store *store;
        int status = database_open(options, &store);

        (void)line;
        if (status != EXIT_DONE)
                return status;
        status = list_all(store, &listing);
        table_print(&table);
        store_close(store);
        return status;
}

static int account_delete(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0];
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_account_delete(store, name), "account", name, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("iam:account:delete", "exc:iam:account/%s", name);
        store_close(store);
        return status;
}

static const struct cli_option add_options[] = {
        {.name = "policy",
         .value = "NAME",
         .take = cli_take_text,
         .offset = offsetof(struct options, policy),
         .help = "attach this policy to it"},
        {.name = NULL},
};

const struct cli_command account_add_command = {
        .words = "account add",
        .arguments = "NAME",
        .summary = "add an account, which may nothing without --policy",
        .least = 1,
        .most = 1,
        .tables = {add_options},
        .run = account_add,
};
const struct cli_command account_list_command = {
        .words = "account list",
        .summary = "list accounts and their policies",
        .run = account_list,
};
const struct cli_command account_delete_command = {
        .words = "account delete",
        .arguments = "NAME",
        .summary = "delete an account with its tokens and key pairs",
        .least = 1,
        .most = 1,
        .run = account_delete,
};
