/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "cloud/api/api.h"
#include "cloud/api/audit_line.h"
#include "cloud/api/client_address.h"
#include "cloud/api/journal.h"
#include "cloud/api/route.h"
#include "cloud/policy/policy_cache.h"
#include "cloud/token/token.h"

#define SCHEME "Bearer "

/* --- who ------------------------------------------------------------------------------------------------------------ */

/* A valid token always passes: a neighbour behind the same address locks nobody out. */
static bool unauthenticated(struct request *request, const char *why) {
        char group[REQUEST_ADDRESS_MAX];
        int64_t wait_ns;

        client_address_group(request->address, group);
        wait_ns = limits_take(request->api->limits, LIMIT_AUTH_FAILURE, group, request->started_ns);
        if (wait_ns > 0) {
                (void)request_refuse_rate(request, wait_ns / 1000000 + 1,
                                          "too many failed authentications from this address; wait");
                return audit_line_limited(request, group, "too many failed authentications");
        }
        /* One sentence for unknown, wrong and expired: the difference is not for those who guess. */
        (void)request_refuse(request, API_ERROR_UNAUTHENTICATED,
                             "no valid token; send Authorization: Bearer TOKEN with one that has not expired");
        return audit_line_refused(request, why);
}

/* The secret is compared before the end of its life: who has no secret learns of no token whether it exists. */
static bool take_token(struct request *request, const struct cloud_token *given) {
        struct store_token known;
        enum store_result result = store_token_get(request->store, given->id, &known);

        if (result == STORE_UNAVAILABLE)
                return request_refuse_store(request, result, "token");
        memcpy(request->token_id, given->id, sizeof(request->token_id));
        if (result != STORE_OK)
                return unauthenticated(request, "the token is unknown");
        if (!cloud_hash_equal(given->secret_hash, known.secret_hash))
                return unauthenticated(request, "the token's secret is wrong");
        memcpy(request->account, known.account, sizeof(request->account));
        return known.expires > request->now || unauthenticated(request, "the token has expired");
}

/* --- policies ------------------------------------------------------------------------------------------------------- */

static void drop_policies(struct request *request) {
        for (size_t i = 0; i < request->n_policies; i++)
                policy_free(request->policies[i]);
        free(request->policies);
        request->policies = NULL;
        request->n_policies = 0;
}

void auth_end(struct request *request) {
        drop_policies(request);
}

/* STORE_NOT_FOUND: the text was replaced since its version was read. */
static enum store_result load(struct request *request, const struct store_policy *stored, struct policy **ret) {
        struct policy_cache *cache = request->api->policies;
        char why[POLICY_WHY_MAX], *text;
        enum store_result result;
        size_t length;
        int r;

        *ret = policy_cache_get(cache, stored->version);
        if (*ret)
                return STORE_OK;
        result = store_policy_text(request->store, stored->version, &text, &length);
        if (result != STORE_OK)
                return result;
        r = policy_parse(text, length, ret, why);
        free(text);
        if (r < 0) {
                /* Nobody could have uploaded it. A Deny that cannot be read must not become an Allow. */
                journal_note(LOG_ERR, "policy %s, version %lld: cannot be read: %s; replace it", stored->name,
                             (long long)stored->version, r == -ENOMEM ? "out of memory" : why);
                return STORE_UNAVAILABLE;
        }
        policy_cache_add(cache, stored->version, *ret);
        return STORE_OK;
}

static enum store_result load_all(struct request *request) {
        struct store_policy *attached = NULL;
        enum store_result result;
        size_t n = 0;

        drop_policies(request);
        result = store_attached(request->store, request->account, &attached, &n);
        if (result != STORE_OK)
                return result;
        request->policies = n > 0 ? calloc(n, sizeof(struct policy *)) : NULL;
        if (n > 0 && !request->policies)
                result = STORE_UNAVAILABLE;
        for (size_t i = 0; result == STORE_OK && i < n; i++) {
                result = load(request, &attached[i], &request->policies[i]);
                if (result == STORE_OK)
                        request->n_policies = i + 1;
        }
        free(attached);
        return result;
}

static bool load_policies(struct request *request) {
        enum store_result result = STORE_NOT_FOUND;

        /* A policy that is replaced at this moment is read again. */
        for (unsigned i = 0; result == STORE_NOT_FOUND && i < 10; i++)
                result = load_all(request);
        if (result == STORE_OK)
                return true;
        drop_policies(request);
        return request_refuse_store(request, STORE_UNAVAILABLE, "policies");
}

/* --- together ------------------------------------------------------------------------------------------------------- */

bool auth_caller(struct request *request, const char *authorization) {
        struct cloud_token given;

        if (!authorization)
                return unauthenticated(request, "no Authorization header");
        if (strncasecmp(authorization, SCHEME, strlen(SCHEME)) != 0)
                return unauthenticated(request, "no Bearer token in the Authorization header");
        authorization += strlen(SCHEME);
        if (!cloud_token_parse(authorization, strlen(authorization), &given))
                return unauthenticated(request, "what was sent has not the form of a token");
        return take_token(request, &given) && load_policies(request);
}

bool auth_reload(struct request *request) {
        struct store_token known;
        enum store_result result = store_token_get(request->store, request->token_id, &known);

        if (result == STORE_UNAVAILABLE)
                return request_refuse_store(request, result, "token");
        if (result != STORE_OK || strcmp(known.account, request->account) != 0 || known.expires <= request->now)
                return request_refuse(request, API_ERROR_UNAUTHENTICATED, "the token was deleted or has expired");
        return load_policies(request);
}

/* --- may they ------------------------------------------------------------------------------------------------------- */

enum policy_effect auth_evaluate(const struct request *request, const char *action, const char *resource,
                                 const char *os_user, struct policy_decision *ret) {
        struct policy_decision unused;
        const struct policy_request question = {
                .action = action,
                .resource = resource,
                .source_ip = request->address[0] ? request->address : NULL,
                .os_user = os_user,
        };

        if (!ret)
                ret = &unused;
        policy_evaluate((const struct policy *const *)request->policies, request->n_policies, &question, ret);
        return ret->effect;
}

bool auth_refuse(struct request *request, const char *action, const char *resource) {
        (void)request_refuse(request, API_ERROR_ACCESS_DENIED, "%s on %s is not allowed", action, resource);
        request_member(request, "action", json_string(action));
        request_member(request, "resource", json_string(resource));
        return false;
}

bool authorise(struct request *request, const char *action, const char *resource, const char *os_user) {
        struct policy_decision decision;
        bool allowed = auth_evaluate(request, action, resource, os_user, &decision) == POLICY_ALLOW;

        request_note(request, action, action);
        request_note(request, resource, resource);
        request_note(request, sid, decision.effect == POLICY_NO_MATCH ? "" : decision.sid);
        if (os_user)
                request_note(request, os_user, os_user);
        if (!audit_line_decision(request, allowed))
                return false;
        return allowed || auth_refuse(request, action, resource);
}

bool authorise_instance(struct request *request, const char *action, const char *id, const char *os_user) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), "exc:compute:instance/%s", id);
        request_note(request, vm_id, id);
        return authorise(request, action, resource, os_user);
}
