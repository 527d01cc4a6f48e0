/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>

#include "cloud/api/api.h"
#include "cloud/api/audit_line.h"
#include "cloud/api/auth.h"
#include "cloud/api/client_address.h"
#include "cloud/api/journal.h"
#include "cloud/api/route.h"
#include "wire/json.h"

struct request *process_request_new(struct api *api) {
        struct request *request = calloc(1, sizeof(*request));
        uint8_t random[(REQUEST_ID_MAX - 1) / 2];

        if (!request || getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
                free(request);
                return NULL;
        }
        for (size_t i = 0; i < sizeof(random); i++)
                (void)snprintf(request->id + 2 * i, 3, "%02x", random[i]);
        request->api = api;
        return request;
}

void process_request_free(struct request *request) {
        if (!request)
                return;
        auth_end(request);
        json_decref(request->body);
        json_decref(request->answer);
        free(request);
}

static bool take_limit(struct request *request, enum limit limit, const char *name, const char *what) {
        int64_t wait_ns = limits_take(request->api->limits, limit, name, request->started_ns);
        char why[128];

        if (wait_ns == 0)
                return true;
        (void)snprintf(why, sizeof(why), "too many requests of this %s", what);
        (void)request_refuse_rate(request, wait_ns / 1000000 + 1, "%s; wait", why);
        return audit_line_limited(request, name, why);
}

/* An address that is not known is no client's own, and has no limit of its own. */
static bool take_address_limit(struct request *request) {
        char group[REQUEST_ADDRESS_MAX];

        if (request->address[0] == '\0')
                return true;
        client_address_group(request->address, group);
        return take_limit(request, LIMIT_ADDRESS, group, "address");
}

static bool read_body(struct request *request, const char *body, size_t length) {
        if (length == 0)
                return true;
        request->body = json_read(body, length, REQUEST_DEPTH_MAX);
        if (!request->body)
                return request_refuse(
                        request, API_ERROR_INVALID_REQUEST,
                        "the body is not JSON, is nested deeper than %d, names a member twice, or has a NUL",
                        REQUEST_DEPTH_MAX);
        if (json_is_object(request->body))
                return true;
        return request_refuse(request, API_ERROR_INVALID_REQUEST, "the body is not a JSON object");
}

static void process(struct request *request, const char *authorization, const char *body, size_t length) {
        bool public = (request->route->flags & ROUTE_PUBLIC) != 0;

        if (!public &&
            (!auth_caller(request, authorization) || !take_limit(request, LIMIT_CALLER, request->account, "account")))
                return;
        if (!read_body(request, body, length))
                return;
        request->route->handle(request);
        if (request->status == 0) {
                journal_note(LOG_ERR, "%s: the handler gave no answer", request->route->path);
                (void)request_refuse(request, API_ERROR_INTERNAL, "no answer was made");
        }
        audit_line_outcome(request);
}

void process_request(struct request *request, struct store *store, const char *authorization, const char *body,
                     size_t length) {
        request->store = store;
        request->now = (int64_t)time(NULL);
        request->started_ns = monotonic_ns();
        request->deadline_ns = request->started_ns + (int64_t)REQUEST_DEADLINE_MS * 1000000;
        if (!take_address_limit(request))
                return;
        if (!store) {
                (void)request_refuse(request, API_ERROR_STORE_UNAVAILABLE,
                                     "the database cannot be opened; try again later");
                return;
        }
        /* Token, policies and what the decision is about, as they were at one moment; ends with the decision's line. */
        store_read_begin(store);
        process(request, authorization, body, length);
        store_read_end(store);
}

char *process_answer_text(const struct request *request, size_t *ret_length) {
        char *text;

        *ret_length = 0;
        if (!request->answer)
                return NULL;
        text = json_dumps(request->answer, JSON_COMPACT);
        if (text)
                *ret_length = strlen(text);
        return text;
}
