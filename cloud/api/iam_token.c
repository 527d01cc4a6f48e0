/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "cloud/api/api.h"
#include "cloud/api/auth.h"
#include "cloud/api/handlers.h"
#include "cloud/api/member.h"
#include "cloud/api/page.h"
#include "cloud/token/token.h"

#define RESOURCE "exc:iam:token/"

enum { LIFE_DEFAULT_S = 30 * 86400 };

static bool authorise_token(struct request *request, const char *action, const char *id) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), RESOURCE "%s", id);
        return authorise(request, action, resource, NULL);
}

static const char *id_in(const struct request *request) {
        return request->target.segment[2];
}

static json_t *token_json(const struct store_token *token) {
        return json_pack("{s:s, s:s, s:o, s:o}", "id", token->id, "account", token->account, "created_at",
                         request_time(token->created), "expires_at", request_time(token->expires));
}

/* --- list ----------------------------------------------------------------------------------------------------------- */

static enum store_result read_rows(struct request *request, void *context, const char *after, size_t max, void *rows,
                                   size_t *ret_n) {
        (void)context;
        return store_token_list(request->store, request_query(request, "account"), after, max, rows, ret_n);
}

static const char *name_of(const void *row) {
        return ((const struct store_token *)row)->id;
}

static json_t *show(const struct request *request, const void *row) {
        (void)request;
        return token_json(row);
}

void token_list(struct request *request) {
        static const struct page_kind kind = {
                .action = "iam:token:get",
                .resource = RESOURCE,
                .row_size = sizeof(struct store_token),
                .read = read_rows,
                .name = name_of,
                .show = show,
        };

        page_answer(request, &kind, NULL);
}

/* --- one ------------------------------------------------------------------------------------------------------------ */

struct post {
        char account[STORE_NAME_MAX];
        int64_t expires_in;
};

static const struct json_dispatch_field post_fields[] = {
        {"account", member_account, offsetof(struct post, account), .required = true,
         .expected = "the name of an account"},
        {"expires_in", json_dispatch_integer, offsetof(struct post, expires_in), .min = 1, .max = INT64_C(1) << 40,
         .expected = "1 or more seconds"},
        {.name = NULL},
};

static void make(struct request *request, const struct post *post) {
        char text[CLOUD_TOKEN_MAX];
        struct cloud_token made;
        struct store_token token = {.created = request->now, .expires = request->now + post->expires_in};
        enum store_result result;
        json_t *answer;

        if (cloud_token_make(text, &made) < 0) {
                (void)request_refuse(request, API_ERROR_INTERNAL, "token: no random bytes; try again");
                return;
        }
        memcpy(token.id, made.id, sizeof(token.id));
        memcpy(token.secret_hash, made.secret_hash, sizeof(token.secret_hash));
        memcpy(token.account, post->account, sizeof(token.account));
        result = store_token_add(request->store, &token);
        if (result == STORE_OK || result == STORE_CREATED) {
                answer = token_json(&token);
                if (answer && json_object_set_new(answer, "token", json_string(text)) < 0) {
                        json_decref(answer);
                        answer = NULL;
                }
                request_answer_secret(request, 201, answer);
        } else if (result == STORE_INVALID)
                (void)request_refuse(request, API_ERROR_NOT_FOUND, "account: there is none of that name");
        else
                (void)request_refuse_store(request, result, "token");
        OPENSSL_cleanse(text, sizeof(text));
}

/* Which id it will have nobody can know, so the account is what is decided on. */
void token_post(struct request *request) {
        const struct api_config *config = request->api->config;
        struct post post = {.expires_in = LIFE_DEFAULT_S};
        char resource[sizeof(request->audit.resource)];

        if (post.expires_in > config->max_token_life_s)
                post.expires_in = config->max_token_life_s;
        if (!request_body(request, post_fields, &post))
                return;
        (void)snprintf(resource, sizeof(resource), "exc:iam:account/%s", post.account);
        if (!authorise(request, "iam:token:create", resource, NULL))
                return;
        if (post.expires_in > config->max_token_life_s)
                (void)request_refuse_field(request, "expires_in", "expires_in: expected at most %lld seconds",
                                           (long long)config->max_token_life_s);
        else
                make(request, &post);
}

void token_get(struct request *request) {
        struct store_token token;
        enum store_result result;

        if (!authorise_token(request, "iam:token:get", id_in(request)))
                return;
        result = store_token_get(request->store, id_in(request), &token);
        if (result == STORE_OK)
                request_answer(request, 200, token_json(&token));
        else
                (void)request_refuse_store(request, result, "token");
}

void token_delete(struct request *request) {
        enum store_result result;

        if (!authorise_token(request, "iam:token:delete", id_in(request)))
                return;
        result = store_token_delete(request->store, id_in(request));
        if (result == STORE_OK)
                request_answer_nothing(request);
        else
                (void)request_refuse_store(request, result, "token");
}
