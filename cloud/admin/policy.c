/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/table.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "wire/json.h"
#include "wire/name.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

/* --- put ------------------------------------------------------------------------------------------------------------ */

/* One byte more than a document may have, so that a longer file is seen. "-" is standard input. */
static int read_document(const char *path, char text[static POLICY_DOCUMENT_MAX + 1], size_t *ret_length) {
        bool from_stdin = strcmp(path, "-") == 0;
        FILE *file = from_stdin ? stdin : fopen(path, "re");
        int status = EXIT_DONE;

        if (!file) {
                complain("%s: cannot open: %s", path, strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        *ret_length = fread(text, 1, POLICY_DOCUMENT_MAX + 1, file);
        if (ferror(file)) {
                complain("%s: cannot read: %s", path, strerror(errno));
                status = EXIT_OWN_FAILURE;
        }
        if (!from_stdin)
                (void)fclose(file);
        return status;
}

static int check_document(const char *path, const char *text, size_t length) {
        char why[POLICY_WHY_MAX] = "";
        struct policy *policy;
        int r = policy_parse(text, length, &policy, why);

        if (r == 0) {
                size_t unknown = policy_unknown_condition(policy);

                if (unknown > 0)
                        complain("%s: statement %zu: has a condition that is not known here: an Allow with it never "
                                 "matches, and a Deny takes it as met; check its spelling",
                                 path, unknown);
                policy_free(policy);
                return EXIT_DONE;
        }
        if (r == -E2BIG)
                complain("%s: expected at most %d bytes and %d statements", path, POLICY_DOCUMENT_MAX,
                         POLICY_STATEMENTS_MAX);
        else
                complain("%s: %s", path, r == -ENOMEM ? "out of memory" : why);
        return r == -ENOMEM ? EXIT_OWN_FAILURE : EXIT_INVALID;
}

static int policy_put(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        static char text[POLICY_DOCUMENT_MAX + 1];
        const char *name = line->arguments[0], *path = line->arguments[1];
        struct store_policy policy;
        struct store *store;
        size_t length = 0;
        int status;

        if (!name_plain_valid(name)) {
                complain("policy %s: a name has 1 to 64 letters, digits, '.', '_' and '-', the first a letter or a "
                         "digit",
                         name);
                return EXIT_USAGE;
        }
        /* Before this becomes a user that may not read the caller's file. */
        status = read_document(path, text, &length);
        if (status == EXIT_DONE)
                status = check_document(path, text, length);
        if (status == EXIT_DONE)
                status = database_open(options, &store);
        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_policy_put(store, name, text, length, 0, (int64_t)time(NULL), &policy),
                                 "policy", name, "it stays as it is; put another", NULL);
        if (status == EXIT_DONE)
                change_log("iam:policy:put", "exc:iam:policy/%s", name);
        store_close(store);
        return status;
}

/* --- get ------------------------------------------------------------------------------------------------------------ */

/* To a terminal line by line, because a text of somebody's may steer it; else unchanged. */
static void print_document(const char *text, size_t length) {
        if (!isatty(STDOUT_FILENO)) {
                (void)fwrite(text, 1, length, stdout);
                if (length > 0 && text[length - 1] != '\n')
                        (void)putchar('\n');
                return;
        }
        while (length > 0) {
                const char *end = memchr(text, '\n', length);
                size_t n = end ? (size_t)(end - text) : length;

                terminal_print_bytes(stdout, text, n);
                (void)putchar('\n');
                n += end ? 1 : 0;
                text += n;
                length -= n;
        }
}

static json_t *policy_json(const struct store_policy *policy) {
        char created[TIME_TEXT_MAX], changed[TIME_TEXT_MAX];

        return json_pack("{ss sI ss ss}", "name", policy->name, "version", (json_int_t)policy->version, "created_at",
                         time_text(policy->created, created), "changed_at", time_text(policy->changed, changed));
}

static int print_policy_json(const struct store_policy *policy, const char *text, size_t length) {
        json_t *object = policy_json(policy), *document = json_read(text, length, POLICY_DEPTH_MAX);

        if (document && json_object_set(object, "document", document) == 0) {
                json_decref(document);
                return print_json_new(object);
        }
        json_decref(document);
        json_decref(object);
        return print_json_new(NULL);
}

static int policy_get(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0];
        struct store_policy policy;
        enum store_result result;
        struct store *store;
        char *text = NULL;
        size_t length;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        result = store_policy_get(store, name, &policy);
        if (result == STORE_OK)
                result = store_policy_text(store, policy.version, &text, &length);
        status = database_status(store, result, "policy", name, NULL, NULL);
        if (status == EXIT_DONE && options->json)
                status = print_policy_json(&policy, text, length);
        else if (status == EXIT_DONE)
                print_document(text, length);
        free(text);
        store_close(store);
        return status;
}

/* --- list ----------------------------------------------------------------------------------------------------------- */

static const char *const headings[] = {"POLICY", "VERSION", "CREATED", "CHANGED"};

static enum store_result read_policies(struct store *store, const void *context, const char *after, size_t max,
                                       void *items, size_t *ret_n) {
        (void)context;
        return store_policy_list(store, after, max, items, ret_n);
}

static const char *name_of(const void *item) {
        return ((const struct store_policy *)item)->name;
}

/* `context`: the table; NULL for JSON. */
static int show(void *context, struct store *store, const void *item) {
        char version[24], created[TIME_TEXT_MAX], changed[TIME_TEXT_MAX];
        const struct store_policy *policy = item;

        (void)store;
        if (!context)
                return print_json_new(policy_json(policy));
        (void)snprintf(version, sizeof(version), "%lld", (long long)policy->version);
        if (table_add(context, (const char *const[]){policy->name, version, time_text(policy->created, created),
                                                     time_text(policy->changed, changed)}))
                return EXIT_DONE;
        complain("out of memory");
        return EXIT_OWN_FAILURE;
}

static int policy_list(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct table table = {.headings = headings, .columns = sizeof(headings) / sizeof(headings[0])};
        const struct listing listing = {
                .item_size = sizeof(struct store_policy),
                .read = read_policies,
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

/* --- delete, attach, detach ----------------------------------------------------------------------------------------- */

static int policy_delete(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0];
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_policy_delete(store, name, 0), "policy", name,
                                 "it cannot be deleted; detach it from accounts", NULL);
        if (status == EXIT_DONE)
                change_log("iam:policy:delete", "exc:iam:policy/%s", name);
        store_close(store);
        return status;
}

/* Which of the two does not exist. */
static int missing(struct store *store, const char *policy_name, const char *account_name) {
        struct store_account account;
        struct store_policy policy;
        int status = database_status(store, store_policy_get(store, policy_name, &policy), "policy", policy_name, NULL,
                                     NULL);

        if (status == EXIT_DONE)
                status = database_status(store, store_account_get(store, account_name, &account), "account",
                                         account_name, NULL, NULL);
        return status;
}

static int policy_attach(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0], *account = line->arguments[1];
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = missing(store, name, account);
        if (status == EXIT_DONE)
                status = database_status(store, store_attach(store, account, name), "policy", name, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("iam:account:attach", "exc:iam:account/%s the policy %s", account, name);
        store_close(store);
        return status;
}

static int policy_detach(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0], *account = line->arguments[1];
        enum store_result result;
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = missing(store, name, account);
        if (status == EXIT_DONE) {
                result = store_detach(store, account, name);
                if (result == STORE_NOT_FOUND) {
                        complain("policy %s: it is not attached to the account %s", name, account);
                        status = EXIT_NOT_FOUND;
                } else
                        status = database_status(store, result, "policy", name, NULL, NULL);
        }
        if (status == EXIT_DONE)
                change_log("iam:account:detach", "exc:iam:account/%s the policy %s", account, name);
        store_close(store);
        return status;
}

const struct cli_command policy_put_command = {
        .words = "policy put",
        .arguments = "NAME FILE",
        .summary = "create or replace a policy; FILE is - for standard input",
        .least = 2,
        .most = 2,
        .run = policy_put,
};
const struct cli_command policy_get_command = {
        .words = "policy get",
        .arguments = "NAME",
        .summary = "print a policy's document",
        .least = 1,
        .most = 1,
        .run = policy_get,
};
const struct cli_command policy_list_command = {
        .words = "policy list",
        .summary = "list policies",
        .run = policy_list,
};
const struct cli_command policy_delete_command = {
        .words = "policy delete",
        .arguments = "NAME",
        .summary = "delete a policy, also from accounts",
        .least = 1,
        .most = 1,
        .run = policy_delete,
};
const struct cli_command policy_attach_command = {
        .words = "policy attach",
        .arguments = "NAME ACCOUNT",
        .summary = "give an account a policy",
        .least = 2,
        .most = 2,
        .run = policy_attach,
};
const struct cli_command policy_detach_command = {
        .words = "policy detach",
        .arguments = "NAME ACCOUNT",
        .summary = "take a policy from an account",
        .least = 2,
        .most = 2,
        .run = policy_detach,
};
