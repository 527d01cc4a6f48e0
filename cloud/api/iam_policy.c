/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/api/auth.h"
#include "cloud/api/handlers.h"
#include "cloud/api/member.h"
#include "cloud/api/page.h"
#include "cloud/api/precondition.h"
#include "cloud/policy/policy.h"
#include "wire/json.h"
#include "wire/name.h"

#define RESOURCE "exc:iam:policy/"

static bool authorise_policy(struct request *request, const char *action, const char *name) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), RESOURCE "%s", name);
        return authorise(request, action, resource, NULL);
}

static const char *name_in(const struct request *request) {
        return request->target.segment[2];
}

static json_t *policy_json(const struct store_policy *policy) {
        return json_pack("{s:s, s:I, s:o, s:o}", "name", policy->name, "version", (json_int_t)policy->version,
                         "created_at", request_time(policy->created), "changed_at", request_time(policy->changed));
}

/* --- list ----------------------------------------------------------------------------------------------------------- */

static enum store_result read_rows(struct request *request, void *context, const char *after, size_t max, void *rows,
                                   size_t *ret_n) {
        (void)context;
        return store_policy_list(request->store, after, max, rows, ret_n);
}

static const char *name_of(const void *row) {
        return ((const struct store_policy *)row)->name;
}

static json_t *show(const struct request *request, const void *row) {
        (void)request;
        return policy_json(row);
}

void policy_list(struct request *request) {
        static const struct page_kind kind = {
                .action = "iam:policy:get",
                .resource = RESOURCE,
                .row_size = sizeof(struct store_policy),
                .read = read_rows,
                .name = name_of,
                .show = show,
        };

        page_answer(request, &kind, NULL);
}

/* --- put ------------------------------------------------------------------------------------------------------------ */

/* What was sent is stored in one line, and parsed from that: the text that is stored is the one that was checked. */
static char *document_text(struct request *request, const json_t *document, size_t *ret_length) {
        char *text = json_dumps(document, JSON_COMPACT), why[POLICY_WHY_MAX];
        struct policy *policy;
        int r;

        if (!text) {
                (void)request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
                return NULL;
        }
        *ret_length = strlen(text);
        r = policy_parse(text, *ret_length, &policy, why);
        if (r == 0) {
                policy_free(policy);
                return text;
        }
        if (r == -ENOMEM)
                (void)request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
        else if (r == -E2BIG)
                (void)request_refuse_field(request, "document", "document: expected at most %d bytes and %d statements",
                                           POLICY_DOCUMENT_MAX, POLICY_STATEMENTS_MAX);
        else
                (void)request_refuse_field(request, "document", "document: %s", why);
        free(text);
        return NULL;
}

static void put(struct request *request, const char *name, const json_t *document, int64_t expected) {
        struct store_policy policy;
        enum store_result result;
        size_t length;
        char *text = document_text(request, document, &length);

        if (!text)
                return;
        result = store_policy_put(request->store, name, text, length, expected, request->now, &policy);
        free(text);
        if (result == STORE_OK || result == STORE_CREATED) {
                request_answer(request, result == STORE_CREATED ? 201 : 200, policy_json(&policy));
                request->etag = policy.version;
        } else if (result == STORE_PRECONDITION && request->method == METHOD_POST)
                (void)request_refuse_store(request, STORE_CONFLICT, "policy");
        else
                (void)request_refuse_store(request, result, "policy");
}

struct body {
        char name[STORE_NAME_MAX];
        json_t *document;
};

void policy_post(struct request *request) {
        static const struct json_dispatch_field fields[] = {
                {"name", member_name, offsetof(struct body, name), .required = true, .expected = MEMBER_NAME_EXPECTED},
                {"document", member_object, offsetof(struct body, document), .required = true,
                 .expected = "a policy document"},
                {.name = NULL},
        };
        struct body body = {.document = NULL};

        if (request_body(request, fields, &body) && authorise_policy(request, "iam:policy:create", body.name))
                put(request, body.name, body.document, -1);
}

static bool expected(struct request *request, int64_t *ret) {
        struct store_policy current = {.version = 0};
        enum store_result result = STORE_OK;

        if (precondition_needs_current(request))
                result = store_policy_get(request->store, name_in(request), &current);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
                return request_refuse_store(request, result, "policy");
        return precondition_expected(request, current.version, ret);
}

void policy_put(struct request *request) {
        static const struct json_dispatch_field fields[] = {
                {"document", member_object, offsetof(struct body, document), .required = true,
                 .expected = "a policy document"},
                {.name = NULL},
        };
        struct body body = {.document = NULL};
        int64_t version;

        if (!authorise_policy(request, "iam:policy:put", name_in(request)) || !request_body(request, fields, &body))
                return;
        if (!name_plain_valid(name_in(request)))
                (void)request_refuse_field(request, "name", "name: expected " MEMBER_NAME_EXPECTED);
        else if (expected(request, &version))
                put(request, name_in(request), body.document, version);
}

/* --- get and delete ------------------------------------------------------------------------------------------------- */

static json_t *with_document(json_t *answer, const char *text, size_t length) {
        json_t *document = json_read(text, length, POLICY_DEPTH_MAX);

        if (answer && document && json_object_set(answer, "document", document) == 0) {
                json_decref(document);
                return answer;
        }
        json_decref(document);
        json_decref(answer);
        return NULL;
}

void policy_get(struct request *request) {
        struct store_policy policy;
        enum store_result result;
        char *text = NULL;
        size_t length;

        if (!authorise_policy(request, "iam:policy:get", name_in(request)))
                return;
        result = store_policy_get(request->store, name_in(request), &policy);
        if (result == STORE_OK)
                result = store_policy_text(request->store, policy.version, &text, &length);
        if (result != STORE_OK) {
                (void)request_refuse_store(request, result, "policy");
                return;
        }
        request_answer(request, 200, with_document(policy_json(&policy), text, length));
        request->etag = policy.version;
        free(text);
}

void policy_delete(struct request *request) {
        enum store_result result;
        int64_t version;

        if (!authorise_policy(request, "iam:policy:delete", name_in(request)) || !expected(request, &version))
                return;
        result = store_policy_delete(request->store, name_in(request), version);
        if (result == STORE_OK)
                request_answer_nothing(request);
        else
                (void)request_refuse_store(request, result, "policy");
}
