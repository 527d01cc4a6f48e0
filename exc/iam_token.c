/* SPDX-License-Identifier: Apache-2.0 */
/* exc iam token: create, list, show, delete. */
#include <stdio.h>

#include "cli/output.h"
#include "exc/iam.h"

enum { EXPIRES_MAX_S = 10 * 365 * 24 * 60 * 60 };

static const struct column columns[] = {
        {"id", "TOKEN", "Token id"},
        {"account", "ACCOUNT", "Account"},
        {"created_at", "CREATED", "Created"},
        {"expires_at", "EXPIRES", "Expires"},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* The token alone on standard output, for $(...); all else on standard error. */
static int print(const struct options *options, const json_t *token) {
        if (options->json)
                return print_json(token);
        print_field_to(stderr, "Token id", "%s", text_or(token, "id", "-"));
        print_field_to(stderr, "Account", "%s", text_or(token, "account", "-"));
        print_field_to(stderr, "Expires", "%s", text_or(token, "expires_at", "-"));
        complain("it is not shown again");
        if (!config_token_valid(text_or(token, "token", ""))) {
                complain("the answer has no token in it");
                return EXIT_NOT_REACHED;
        }
        (void)puts(text_or(token, "token", ""));
        return EXIT_DONE;
}

static int create(const struct cli_line *line, const void *context) {
        const char *account = line->arguments[0];
        const struct options *options = context;
        char object[IAM_OBJECT_MAX];
        json_t *body = json_pack("{ss}", "account", account), *token = NULL;
        struct request request;
        int status;

        if (body && options->expires_in > 0)
                (void)json_object_set_new(body, "expires_in", json_integer(options->expires_in));
        request = iam_create("token", "", body, object);
        (void)snprintf(object, sizeof(object), "account %.120s", account);
        status = request_send(options, &request, &token);
        if (status == EXIT_DONE)
                status = print(options, token);
        json_decref(token);
        return status;
}

static int list(const struct cli_line *line, const void *context) {
        char *path = api_path("iam", "token", NULL);

        if (line->n_arguments > 0)
                path = api_path_query(path, "account", line->arguments[0]);
        return request_list(context, path, columns, COLUMNS);
}

static int show(const struct cli_line *line, const void *context) {
        char object[IAM_OBJECT_MAX];
        const struct request request = iam_request("GET", "token", line->arguments[0], object);

        return request_show(context, &request, columns, COLUMNS);
}

static int delete(const struct cli_line *line, const void *context) {
        return iam_delete(context, "token", line->arguments[0]);
}

static const struct cli_option options[] = {
        {.name = "expires-in",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, expires_in),
         .min = 1,
         .max = EXPIRES_MAX_S / 2, /* what value_number() takes */
         .expected = "1..157680000 seconds",
         .help = "how long it is good; default: the server's"},
        {.name = NULL},
};

const struct cli_command token_create_command = {
        .words = "iam token create",
        .arguments = "ACCOUNT",
        .summary = "make a token and print it, this once",
        .least = 1,
        .most = 1,
        .tables = {options},
        .run = create,
};
const struct cli_command token_list_command = {
        .words = "iam token list",
        .arguments = "[ACCOUNT]",
        .summary = "list tokens, without their secrets",
        .most = 1,
        .run = list,
};
const struct cli_command token_show_command = {
        .words = "iam token show",
        .arguments = "ID",
        .summary = "show a token, without its secret",
        .least = 1,
        .most = 1,
        .run = show,
};
const struct cli_command token_delete_command = {
        .words = "iam token delete",
        .arguments = "ID",
        .summary = "delete a token, from the next request on",
        .least = 1,
        .most = 1,
        .run = delete,
};
