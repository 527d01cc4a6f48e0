/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/admin/token.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/table.h"
#include "cli/value.h"
#include "cloud/admin/change.h"
#include "cloud/admin/database.h"
#include "cloud/token/token.h"
#include "wire/refusal.h"

enum {
        DAY_S = 24 * 60 * 60,
        EXPIRES_DEFAULT_S = 30 * DAY_S,
        EXPIRES_DAYS_MAX = 3650,
};

static int print_token(const struct options *options, const struct store_token *token, const char *text) {
        char created[TIME_TEXT_MAX], expires[TIME_TEXT_MAX];

        (void)time_text(token->created, created);
        (void)time_text(token->expires, expires);
        if (options->json)
                return print_json_new(json_pack("{ss ss ss ss ss}", "id", token->id, "account", token->account,
                                                "created_at", created, "expires_at", expires, "token", text));
        (void)puts(text);
        complain("token %s of the account %s: good until %s; it is not shown again", token->id, token->account,
                 expires);
        return EXIT_DONE;
}

int token_make_and_print(const struct options *options, struct store *store, const char *account) {
        int64_t now = (int64_t)time(NULL);
        struct store_token token = {
                .created = now,
                .expires = now + (options->expires_in ? options->expires_in : EXPIRES_DEFAULT_S),
        };
        char text[CLOUD_TOKEN_MAX];
        struct cloud_token made;
        int status;

        if (strlen(account) >= sizeof(token.account))
                return database_status(store, STORE_NOT_FOUND, "account", account, NULL, NULL);
        if (cloud_token_make(text, &made) < 0) {
                complain("the kernel gives no random bytes; try again");
                return EXIT_OWN_FAILURE;
        }
        memcpy(token.id, made.id, sizeof(token.id));
        memcpy(token.secret_hash, made.secret_hash, sizeof(token.secret_hash));
        memcpy(token.account, account, strlen(account) + 1);
        status = database_status(store, store_token_add(store, &token), "account", account,
                                 "a token of the same id exists; try again",
                                 "there is none of that name; make it with: exc-compute-admin account add");
        if (status == EXIT_DONE) {
                change_log("iam:token:create", "exc:iam:token/%s of the account %s", token.id, token.account);
                status = print_token(options, &token, text);
        }
        OPENSSL_cleanse(text, sizeof(text));
        return status;
}

static int token_create(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = token_make_and_print(options, store, line->arguments[0]);
        store_close(store);
        return status;
}

/* --- list ---------------------------------------------------------------------------------------------------------- */

static const char *const headings[] = {"TOKEN", "ACCOUNT", "CREATED", "EXPIRES"};

struct tokens {
        const char *account; /* NULL: of all */
        bool json;
        struct table table;
};

static enum store_result read_tokens(struct store *store, const void *context, const char *after, size_t max,
                                     void *items, size_t *ret_n) {
        return store_token_list(store, ((const struct tokens *)context)->account, after, max, items, ret_n);
}

static const char *id_of(const void *item) {
        return ((const struct store_token *)item)->id;
}

static int show(void *context, struct store *store, const void *item) {
        char created[TIME_TEXT_MAX], expires[TIME_TEXT_MAX];
        const struct store_token *token = item;
        struct tokens *tokens = context;

        (void)store;
        (void)time_text(token->created, created);
        (void)time_text(token->expires, expires);
        if (tokens->json)
                return print_json_new(json_pack("{ss ss ss ss}", "id", token->id, "account", token->account,
                                                "created_at", created, "expires_at", expires));
        if (table_add(&tokens->table,
                      (const char *const[]){token->id, token->account, created,
                                            token->expires <= (int64_t)time(NULL) ? "expired" : expires}))
                return EXIT_DONE;
        complain("out of memory");
        return EXIT_OWN_FAILURE;
}

static int token_list(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct tokens tokens = {
                .account = line->arguments[0],
                .json = options->json,
                .table = {.headings = headings, .columns = sizeof(headings) / sizeof(headings[0])},
        };
        const struct listing listing = {
                .item_size = sizeof(struct store_token),
                .read = read_tokens,
                .name = id_of,
                .show = show,
                .context = &tokens,
        };
        struct store_account account;
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        if (tokens.account)
                status = database_status(store, store_account_get(store, tokens.account, &account), "account",
                                         tokens.account, NULL, NULL);
        if (status == EXIT_DONE)
                status = list_all(store, &listing);
        table_print(&tokens.table);
        store_close(store);
        return status;
}

static int token_delete(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *id = line->arguments[0];
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_token_delete(store, id), "token", id, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("iam:token:delete", "exc:iam:token/%s", id);
        store_close(store);
        return status;
}

/* --- the command line ---------------------------------------------------------------------------------------------- */

/* A number, and perhaps s, m, h or d behind it: int64_t, seconds. */
static bool take_duration(const struct cli_option *option, const char *text, void *member) {
        static const struct {
                char letter;
                int seconds;
        } units[] = {{'s', 1}, {'m', 60}, {'h', 60 * 60}, {'d', DAY_S}};
        size_t n = strlen(text);
        int64_t seconds = 1;
        char digits[16];
        int value;

        (void)option;
        if (n == 0 || n >= sizeof(digits))
                return false;
        memcpy(digits, text, n + 1);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (text[n - 1] == units[i].letter) {
                        seconds = units[i].seconds;
                        digits[n - 1] = '\0';
                        break;
                }
        if (!value_number(digits, 1, 100000000, &value) || value * seconds > (int64_t)EXPIRES_DAYS_MAX * DAY_S)
                return false;
        *(int64_t *)member = value * seconds;
        return true;
}

const struct cli_option admin_expires_options[] = {
        {.name = "expires-in",
         .value = "TIME",
         .take = take_duration,
         .offset = offsetof(struct options, expires_in),
         .expected = "a time as in 90d, 12h, 30m or 600s, at most 3650d",
         .help = "90d, 12h, 30m or 600s; default 30d"},
        {.name = NULL},
};

const struct cli_command token_create_command = {
        .words = "token create",
        .arguments = "ACCOUNT",
        .summary = "make a token and print it, this once",
        .least = 1,
        .most = 1,
        .tables = {admin_expires_options},
        .run = token_create,
};
const struct cli_command token_list_command = {
        .words = "token list",
        .arguments = "[ACCOUNT]",
        .summary = "list tokens, without their secrets",
        .most = 1,
        .run = token_list,
};
const struct cli_command token_delete_command = {
        .words = "token delete",
        .arguments = "ID",
        .summary = "delete a token, from the next request on",
        .least = 1,
        .most = 1,
        .run = token_delete,
};
