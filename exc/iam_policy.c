/* SPDX-License-Identifier: Apache-2.0 */
/* exc iam policy: put, list, show, delete, attach, detach. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "exc/iam.h"
#include "wire/json.h"

enum { DOCUMENT_MAX = 32 * 1024, DOCUMENT_DEPTH_MAX = 8 };

static const struct column columns[] = {
        {"name", "POLICY", "Policy"},
        {"version", "VERSION", "Version"},
        {"created_at", "CREATED", "Created"},
        {"changed_at", "CHANGED", "Changed"},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* NULL when it has complained. */
static json_t *read_document(const char *path) {
        bool from_stdin = strcmp(path, "-") == 0;
        FILE *file = from_stdin ? stdin : fopen(path, "re");
        char *text = malloc(DOCUMENT_MAX + 1);
        json_t *document = NULL;
        size_t n;

        if (!file || !text)
                complain("%s: cannot open it: %s", path, strerror(errno));
        else if ((n = fread(text, 1, DOCUMENT_MAX + 1, file)) > DOCUMENT_MAX)
                complain("%s: more than %d bytes: a policy has at most that many; make several of it", path,
                         DOCUMENT_MAX);
        else if (ferror(file))
                complain("%s: cannot read it: %s", path, strerror(errno));
        else {
                document = json_read(text, n, DOCUMENT_DEPTH_MAX);
                if (!json_is_object(document)) {
                        complain("%s: it is not a JSON object, or names a member twice; see docs/policies.md", path);
                        json_decref(document);
                        document = NULL;
                }
        }
        free(text);
        if (file && !from_stdin)
                (void)fclose(file);
        return document;
}

static int put(const struct cli_line *line, const void *context) {
        char object[IAM_OBJECT_MAX];
        json_t *document = read_document(line->arguments[1]);
        struct request request;

        if (!document)
                return EXIT_USAGE;
        request = iam_request("PUT", "policy", line->arguments[0], object);
        request.body = json_pack("{so}", "document", document);
        return request_show(context, &request, columns, COLUMNS);
}

static int list(const struct cli_line *line, const void *context) {
        (void)line;
        return request_list(context, api_path("iam", "policy", NULL), columns, COLUMNS);
}

/* The document alone on standard output, so that it can be changed and put again. */
static int print(const struct options *options, const json_t *policy) {
        const json_t *document = json_object_get(policy, "document");

        if (options->json)
                return print_json(policy);
        for (size_t i = 0; i < COLUMNS; i++) {
                const json_t *value = json_object_get(policy, columns[i].member);

                if (json_is_string(value))
                        print_field_to(stderr, columns[i].field, "%s", json_string_value(value));
        }
        if (!json_is_object(document)) {
                complain("the answer has no document in it");
                return EXIT_NOT_REACHED;
        }
        return print_json_lines(document);
}

static int show(const struct cli_line *line, const void *context) {
        char object[IAM_OBJECT_MAX];
        const struct request request = iam_request("GET", "policy", line->arguments[0], object);
        json_t *policy = NULL;
        int status = request_send(context, &request, &policy);

        if (status == EXIT_DONE)
                status = print(context, policy);
        json_decref(policy);
        return status;
}

static int delete(const struct cli_line *line, const void *context) {
        return iam_delete(context, "policy", line->arguments[0]);
}

static int attachment(const char *method, const struct cli_line *line, const struct options *options) {
        char object[IAM_OBJECT_MAX];
        struct request request = {
                .method = method,
                .path = api_path("iam", "account", line->arguments[1], "policy", line->arguments[0], NULL),
                .about = {.object = object},
        };
        json_t *answer = NULL;
        int status;

        (void)snprintf(object, sizeof(object), "policy %.64s of account %.64s", line->arguments[0], line->arguments[1]);
        status = request_send(options, &request, &answer);
        if (status == EXIT_DONE && options->json && answer)
                status = print_json(answer);
        json_decref(answer);
        return status;
}

static int attach(const struct cli_line *line, const void *context) {
        return attachment("PUT", line, context);
}

static int detach(const struct cli_line *line, const void *context) {
        return attachment("DELETE", line, context);
}

const struct cli_command policy_put_command = {
        .words = "iam policy put",
        .arguments = "POLICY FILE",
        .summary = "create or replace a policy by the document in FILE, - for standard input",
        .least = 2,
        .most = 2,
        .completes = "files",
        .run = put,
};
const struct cli_command policy_list_command = {
        .words = "iam policy list",
        .summary = "list policies",
        .run = list,
};
const struct cli_command policy_show_command = {
        .words = "iam policy show",
        .arguments = "POLICY",
        .summary = "print a policy's document",
        .least = 1,
        .most = 1,
        .run = show,
};
const struct cli_command policy_delete_command = {
        .words = "iam policy delete",
        .arguments = "POLICY",
        .summary = "delete a policy that is attached to no account",
        .least = 1,
        .most = 1,
        .run = delete,
};
const struct cli_command policy_attach_command = {
        .words = "iam policy attach",
        .arguments = "POLICY ACCOUNT",
        .summary = "let a policy count for an account",
        .least = 2,
        .most = 2,
        .run = attach,
};
const struct cli_command policy_detach_command = {
        .words = "iam policy detach",
        .arguments = "POLICY ACCOUNT",
        .summary = "let it count no more",
        .least = 2,
        .most = 2,
        .run = detach,
};
