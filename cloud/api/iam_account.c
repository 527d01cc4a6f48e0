/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cloud/api/auth.h"
#include "cloud/api/handlers.h"
#include "cloud/api/member.h"
#include "cloud/api/page.h"

#define RESOURCE "exc:iam:account/"

static bool authorise_account(struct request *request, const char *action, const char *name) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), RESOURCE "%s", name);
        return authorise(request, action, resource, NULL);
}

static const char *name_in(const struct request *request) {
        return request->target.segment[2];
}

static json_t *account_json(const struct store_account *account) {
        return json_pack("{s:s, s:o}", "name", account->name, "created_at", request_time(account->created));
}

/* --- list ----------------------------------------------------------------------------------------------------------- */

static enum store_result read_rows(struct request *request, void *context, const char *after, size_t max, void *rows,
                                   size_t *ret_n) {
        (void)context;
        return store_account_list(request->store, after, max, rows, ret_n);
}

static const char *name_of(const void *row) {
        return ((const struct store_account *)row)->name;
}

static json_t *show(const struct request *request, const void *row) {
        (void)request;
        return account_json(row);
}

void account_list(struct request *request) {
        static const struct page_kind kind = {
                .action = "iam:account:get",
                .resource = RESOURCE,
                .row_size = sizeof(struct store_account),
                .read = read_rows,
                .name = name_of,
                .show = show,
        };

        page_answer(request, &kind, NULL);
}

/* --- one ------------------------------------------------------------------------------------------------------------ */

void account_post(struct request *request) {
        static const struct json_dispatch_field fields[] = {
                {"name", member_account, offsetof(struct store_account, name), .required = true,
                 .expected = MEMBER_NAME_EXPECTED " or '@'"},
                {.name = NULL},
        };
        struct store_account account = {.created = request->now};
        enum store_result result;

        if (!request_body(request, fields, &account) || !authorise_account(request, "iam:account:create", account.name))
                return;
        result = store_account_add(request->store, account.name, request->now);
        if (result == STORE_OK || result == STORE_CREATED)
                request_answer(request, 201, account_json(&account));
        else
                (void)request_refuse_store(request, result, "account");
}

static bool add_policies(json_t *answer, const struct store_policy *policies, size_t n) {
        json_t *names = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(names, json_string(policies[i].name)) < 0) {
                        json_decref(names);
                        return false;
                }
        return json_object_set_new(answer, "policies", names) == 0;
}

void account_get(struct request *request) {
        struct store_policy *policies = NULL;
        struct store_account account;
        enum store_result result;
        json_t *answer;
        size_t n = 0;

        if (!authorise_account(request, "iam:account:get", name_in(request)))
                return;
        result = store_account_get(request->store, name_in(request), &account);
        if (result == STORE_OK)
                result = store_attached(request->store, account.name, &policies, &n);
        if (result != STORE_OK) {
                (void)request_refuse_store(request, result, "account");
                return;
        }
        answer = account_json(&account);
        if (answer && !add_policies(answer, policies, n)) {
                json_decref(answer);
                answer = NULL;
        }
        free(policies);
        request_answer(request, 200, answer);
}

void account_delete(struct request *request) {
        enum store_result result;

        if (!authorise_account(request, "iam:account:delete", name_in(request)))
                return;
        result = store_account_delete(request->store, name_in(request));
        if (result == STORE_OK)
                request_answer_nothing(request);
        else
                (void)request_refuse_store(request, result, "account");
}

/* --- its policies --------------------------------------------------------------------------------------------------- */

void account_attach(struct request *request) {
        static const struct json_dispatch_field none[] = {{.name = NULL}};
        const char *policy = request->target.segment[4];
        enum store_result result;

        if (!authorise_account(request, "iam:account:attach", name_in(request)) || !request_body(request, none, NULL))
                return;
        result = store_attach(request->store, name_in(request), policy);
        if (result == STORE_OK || result == STORE_CREATED)
                request_answer(request, result == STORE_CREATED ? 201 : 200,
                               json_pack("{s:s, s:s}", "account", name_in(request), "policy", policy));
        else if (result == STORE_INVALID)
                (void)request_refuse(request, API_ERROR_NOT_FOUND, "there is no such account or no such policy");
        else
                (void)request_refuse_store(request, result, "policy");
}

void account_detach(struct request *request) {
        enum store_result result;

        if (!authorise_account(request, "iam:account:detach", name_in(request)))
                return;
        result = store_detach(request->store, name_in(request), request->target.segment[4]);
        if (result == STORE_OK)
                request_answer_nothing(request);
        else
                (void)request_refuse_store(request, result, "policy");
}
