/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an HTTP request of the administrator: "METHOD TARGET", fields as "Name: value", an empty line, a body. Each
 * has an answer that is well formed, and none is 500. The database is a real one; the audit log takes everything. Requests
 * that wait for the signer or a host are left out (ROUTE_SLOW), and so is all making of keys but the first.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cloud/api/api.h"
#include "cloud/api/client_address.h"
#include "cloud/api/head.h"
#include "cloud/api/process.h"
#include "cloud/api/route.h"
#include "cloud/api/target.h"
#include "cloud/policy/policy_cache.h"
#include "cloud/token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int __wrap_audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]);

static struct api_config config = {.max_ttl_s = 300, .max_token_life_s = 86400};
static struct api api = {.config = &config};
static struct store *store;
static char authorization[8 + CLOUD_TOKEN_MAX];
static char directory[] = "/tmp/api_fuzz.XXXXXX";

static void require(bool condition) {
        if (!condition)
                abort();
}

int __wrap_audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]) {
        (void)audit;
        require(event->request_id && (event->effect || event->kind == AUDIT_OUTCOME));
        memset(ret_head, '0', AUDIT_HASH_MAX - 1);
        ret_head[AUDIT_HASH_MAX - 1] = '\0';
        return 0;
}

static void remove_database(void) {
        static const char *const names[] = {"c.db", "c.db-wal", "c.db-shm"};
        char path[64];

        store_close(store);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                (void)unlink(path);
        }
        (void)rmdir(directory);
        policy_cache_free(api.policies);
        limits_free(api.limits);
}

static void begin(void) {
        struct store_token token = {.account = "admin", .expires = INT64_C(1) << 40};
        struct cloud_token made;
        char why[STORE_WHY_MAX];

        require(mkdtemp(directory));
        (void)snprintf(config.database, sizeof(config.database), "%s/c.db", directory);
        require(store_open(config.database, true, false, &store, why) == 0);
        config.rates[LIMIT_KEYPAIR] = (struct limit_rate){.per_minute = 1, .burst = 1};
        api.limits = limits_new(config.rates);
        api.policies = policy_cache_new(64, 1 << 20);
        require(api.limits && api.policies);
        memcpy(authorization, "Bearer ", 7);
        require(cloud_token_make(authorization + 7, &made) == 0);
        memcpy(token.id, made.id, sizeof(token.id));
        memcpy(token.secret_hash, made.secret_hash, sizeof(token.secret_hash));
        require(store_account_add(store, "admin", 1) == STORE_OK && store_token_add(store, &token) == STORE_OK &&
                store_attach(store, "admin", "Admin") == STORE_CREATED);
        (void)atexit(remove_database);
}

static void check_answer(const struct request *request) {
        size_t length;
        char *text = process_answer_text(request, &length);

        require(request->status >= 200 && request->status < 600 && request->status != 500);
        require(text || request->text || request->status == 204);
        if (request->error != API_ERROR_NONE) {
                require(request->status == api_error_status(request->error));
                require(strcmp(json_string_value(json_object_get(request->answer, "error")),
                               api_error_name(request->error)) == 0);
                require(json_is_string(json_object_get(request->answer, "message")));
                require(!request->secret);
        }
        free(text);
}

/* Cuts a line off. NULL: there is none. */
static char *line(char **text) {
        char *begin_of = *text, *end = strchr(begin_of, '\n');

        if (!end)
                return NULL;
        *end = '\0';
        *text = end + 1;
        return begin_of;
}

static bool take_fields(char **text, struct head *head) {
        char *field, *value;

        while ((field = line(text)) != NULL && *field) {
                value = strchr(field, ':');
                if (!value)
                        return false;
                *value++ = '\0';
                value += strspn(value, " \t");
                head_add(head, field, strlen(field), value, strlen(value));
        }
        return field != NULL;
}

/* An address of its one form, alone, and so is what limits count together. */
static void check_address(const char *address) {
        char again[REQUEST_ADDRESS_MAX], group[REQUEST_ADDRESS_MAX];

        require(strspn(address, "0123456789abcdef.:") == strlen(address));
        require(strncmp(address, "::ffff:", 7) != 0 || !strchr(address, '.'));
        require(client_address_parse(address, again) && strcmp(again, address) == 0);
        client_address_group(address, group);
        require(client_address_parse(group, again) && strcmp(again, group) == 0);
        client_address_group(group, again);
        require(strcmp(again, group) == 0);
}

static void carry_out(struct request *request, const struct head *head, const char *target, const char *body,
                      size_t n) {
        char allow[ROUTE_ALLOW_MAX];
        const char *why;

        if (!target_parse(target, &request->target, &why)) {
                require(why && *why);
                return;
        }
        request->route = route_find(&request->target, request->method, allow);
        if (!request->route || (request->route->flags & ROUTE_SLOW) != 0)
                return;
        for (size_t i = 0; i < request->target.n_queries; i++)
                if (!route_takes(request->route, request->target.query[i].name))
                        return;
        if (head->forwarded && client_address_forwarded(head->forwarded, request->address))
                check_address(request->address);
        request_note_text(request->user_agent, sizeof(request->user_agent), head->user_agent);
        process_request(request, store, head->authorization ? head->authorization : authorization, body,
                        (request->route->flags & ROUTE_BODY) != 0 ? n : 0);
        check_answer(request);
        /* No input has the token: it is made for each process. */
        require(!head->authorization || (request->route->flags & ROUTE_PUBLIC) != 0 || request->status == 401 ||
                request->status == 429);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        struct head head = {.malformed = NULL};
        struct head_body framing;
        struct request *request;
        char *copy, *text, *first, *target;

        if (!store)
                begin();
        copy = strndup((const char *)input, size); /* no NUL comes through libmicrohttpd but in a body */
        request = process_request_new(&api);
        require(copy && request);
        text = copy;
        first = line(&text);
        target = first ? strchr(first, ' ') : NULL;
        if (target && take_fields(&text, &head) &&
            head_check(&head, "https://a.example", &framing).error == API_ERROR_NONE &&
            head_match(&head, &request->match, &request->match_version).error == API_ERROR_NONE) {
                *target++ = '\0';
                request->method = route_method(first);
                /* The body of the input, with its NULs. */
                carry_out(request, &head, target, (const char *)input + (text - copy), size - (size_t)(text - copy));
        }
        process_request_free(request);
        free(copy);
        return 0;
}
