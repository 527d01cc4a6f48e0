/* SPDX-License-Identifier: Apache-2.0 */
/* exc iam account, and what the commands of exc iam share. */
#include "exc/iam.h"

#include <stdio.h>

struct request iam_request(const char *method, const char *kind, const char *name, char object[static IAM_OBJECT_MAX]) {
        (void)snprintf(object, IAM_OBJECT_MAX, "%s %.120s", kind, name);
        return (struct request){
                .method = method, .path = api_path("iam", kind, name, NULL), .about = {.object = object}};
}

struct request iam_create(const char *kind, const char *name, json_t *body, char object[static IAM_OBJECT_MAX]) {
        (void)snprintf(object, IAM_OBJECT_MAX, "%s %.120s", kind, name);
        return (struct request){
                .method = "POST", .path = api_path("iam", kind, NULL), .body = body, .about = {.object = object}};
}

int iam_delete(const struct options *options, const char *kind, const char *name) {
        char object[IAM_OBJECT_MAX];
        const struct request request = iam_request("DELETE", kind, name, object);
        json_t *none = NULL;
        int status = request_send(options, &request, &none);

        json_decref(none);
        return status;
}

static const struct column columns[] = {
        {"name", "ACCOUNT", "Account"},
        {"created_at", "CREATED", "Created"},
        {"policies", "POLICIES", "Policies"},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static int create(const struct cli_line *line, const void *context) {
        const char *name = line->arguments[0];
        char object[IAM_OBJECT_MAX];
        const struct request request = iam_create("account", name, json_pack("{ss}", "name", name), object);

        return request_show(context, &request, columns, COLUMNS);
}

static int list(const struct cli_line *line, const void *context) {
        (void)line;
        return request_list(context, api_path("iam", "account", NULL), columns, COLUMNS);
}

static int show(const struct cli_line *line, const void *context) {
        char object[IAM_OBJECT_MAX];
        const struct request request = iam_request("GET", "account", line->arguments[0], object);

        return request_show(context, &request, columns, COLUMNS);
}

static int delete(const struct cli_line *line, const void *context) {
        return iam_delete(context, "account", line->arguments[0]);
}

const struct cli_command account_create_command = {
        .words = "iam account create",
        .arguments = "ACCOUNT",
        .summary = "add an account, which may do nothing yet",
        .least = 1,
        .most = 1,
        .run = create,
};
const struct cli_command account_list_command = {
        .words = "iam account list",
        .summary = "list accounts",
        .run = list,
};
const struct cli_command account_show_command = {
        .words = "iam account show",
        .arguments = "ACCOUNT",
        .summary = "show an account and its policies",
        .least = 1,
        .most = 1,
        .run = show,
};
const struct cli_command account_delete_command = {
        .words = "iam account delete",
        .arguments = "ACCOUNT",
        .summary = "delete an account with its tokens, key pairs and attachments",
        .least = 1,
        .most = 1,
        .run = delete,
};
