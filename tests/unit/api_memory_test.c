/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the API without memory: each again and again, with the first, the second and so on of its allocations failing.
 * It has the answer that it has with memory, or is refused; half an answer would be taken for a whole one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/api/api.h"
#include "cloud/api/process.h"
#include "cloud/api/route.h"
#include "cloud/api/target.h"
#include "cloud/policy/policy_cache.h"
#include "cloud/token/token.h"
#include "tests/unit/no_memory.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrv2568vqY2LUmR1ANpT0u05VD80tZMWCJNsbvhqqsm"
#define DOCUMENT                                                                                                       \
        "{\"Version\":\"2024-03-05\",\"Statements\":[{\"Effect\":\"Deny\",\"Action\":\"a\",\"Resource\":\"b\"}]}"

static struct api_config config = {.max_ttl_s = 300, .max_token_life_s = 86400};
static struct api api = {.config = &config};
static struct store *store;
static char authorization[8 + CLOUD_TOKEN_MAX];
static char directory[] = "/tmp/exc-memory-XXXXXX";
static const char *method, *path, *body;
static json_t *whole; /* the answer with memory */
static int whole_status;

int __wrap_audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]);
int __wrap_audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]) {
        (void)audit;
        assert_non_null(event->request_id);
        memset(ret_head, '0', AUDIT_HASH_MAX - 1);
        ret_head[AUDIT_HASH_MAX - 1] = '\0';
        return 0;
}

static int open_database(void **state) {
        struct store_token token = {.account = "admin", .expires = INT64_C(1) << 40};
        char why[STORE_WHY_MAX];
        struct cloud_token made;

        (void)state;
        assert_non_null(mkdtemp(directory));
        (void)snprintf(config.database, sizeof(config.database), "%s/c.db", directory);
        assert_int_equal(store_open(config.database, true, false, &store, why), 0);
        api.limits = limits_new(config.rates);
        api.policies = policy_cache_new(64, 1 << 20);
        assert_true(api.limits && api.policies);
        memcpy(authorization, "Bearer ", 7);
        assert_int_equal(cloud_token_make(authorization + 7, &made), 0);
        memcpy(token.id, made.id, sizeof(token.id));
        memcpy(token.secret_hash, made.secret_hash, sizeof(token.secret_hash));
        assert_int_equal(store_account_add(store, "admin", 1), STORE_OK);
        assert_int_equal(store_token_add(store, &token), STORE_OK);
        assert_int_equal(store_attach(store, "admin", "Admin"), STORE_CREATED);
        return 0;
}

static int close_database(void **state) {
        static const char *const names[] = {"c.db", "c.db-wal", "c.db-shm"};
        char name[64];

        (void)state;
        store_close(store);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)snprintf(name, sizeof(name), "%s/%s", directory, names[i]);
                (void)unlink(name);
        }
        policy_cache_free(api.policies);
        limits_free(api.limits);
        return rmdir(directory);
}

/* The same members, each of the same type, all the way down: ids, times and secrets differ. */
static void assert_same_form(const json_t *one, json_t *other) {
        const char *name;
        json_t *value;
        size_t i;

        assert_int_equal(json_typeof(one), json_typeof(other));
        assert_int_equal(json_object_size(one), json_object_size(other));
        assert_int_equal(json_array_size(one), json_array_size(other));
        json_object_foreach(other, name, value) {
                assert_non_null(json_object_get(one, name));
                assert_same_form(json_object_get(one, name), value);
        }
        json_array_foreach(other, i, value)
                assert_same_form(json_array_get(one, i), value);
}

static struct request *ask_as(const char *with_method, const char *with_path, const char *with_body) {
        struct request *request = process_request_new(&api);
        char allow[ROUTE_ALLOW_MAX];
        const char *why;

        if (!request)
                return NULL;
        request->method = route_method(with_method);
        assert_true(target_parse(with_path, &request->target, &why));
        request->route = route_find(&request->target, request->method, allow);
        assert_non_null(request->route);
        process_request(request, store, authorization, with_body, strlen(with_body));
        return request;
}

static void ask(void) {
        struct request *request = ask_as(method, path, body);
        char *text;
        size_t n;

        if (!request) {
                assert_true(has_failed);
                return;
        }
        text = process_answer_text(request, &n);
        if (request->status >= 400 && has_failed && whole_status < 400) {
                /* A store that has no memory, and one that made it before the answer had none. */
                assert_true(request->status == 500 || request->status == 503 || request->status == 400);
                assert_false(request->secret);
        } else if (whole) {
                assert_int_equal(request->status, whole_status);
                assert_non_null(request->answer);
                assert_same_form(request->answer, whole);
                assert_true(text || has_failed);
        } else
                assert_int_equal(request->status, whole_status);
        free(text);
        process_request_free(request);
}

/* Asks once with memory, for the answer to compare with. */
static void assert_whole(const char *with_method, const char *with_path, const char *with_body, size_t least) {
        struct request *request = ask_as(with_method, with_path, with_body);

        assert_non_null(request);
        if (request->status >= 300)
                fail_msg("%s %s: %d", with_method, with_path, request->status);
        method = with_method;
        path = with_path;
        body = with_body;
        whole = json_incref(request->answer);
        whole_status = request->status;
        process_request_free(request);
        assert_true(without_memory(ask) >= least);
        json_decref(whole);
        whole = NULL;
}

static void once(const char *with_method, const char *with_path, const char *with_body) {
        struct request *request = ask_as(with_method, with_path, with_body);

        assert_non_null(request);
        if (request->status >= 300)
                fail_msg("%s %s: %d", with_method, with_path, request->status);
        process_request_free(request);
}

static void reading_gives_the_whole_or_nothing(void **state) {
        (void)state;
        once("POST", "/iam/policy", "{\"name\": \"p\", \"document\": " DOCUMENT "}");
        once("POST", "/compute/keypair", "{\"name\": \"k\", \"public_key\": \"" KEY "\"}");
        once("PUT", "/compute/instance/42",
             "{\"name\": \"web\", \"host\": \"h1\", \"addresses\": {\"public_ipv4\": \"192.0.2.1\", \"ipv6\": "
             "\"2001:db8::1\", \"port\": 22}, \"keypair\": \"k\"}");
        assert_whole("GET", "/iam/account", "", 10);
        assert_whole("GET", "/iam/account/admin", "", 10);
        assert_whole("GET", "/iam/token", "", 10);
        assert_whole("GET", "/iam/policy", "", 10);
        assert_whole("GET", "/iam/policy/p", "", 20);
        assert_whole("GET", "/compute/keypair", "", 10);
        assert_whole("GET", "/compute/keypair/k", "", 10);
        assert_whole("GET", "/compute/instance", "", 10);
        assert_whole("GET", "/compute/instance/42", "", 10);
}

static void what_is_made_is_answered_whole(void **state) {
        (void)state;
        assert_whole("POST", "/iam/token", "{\"account\": \"admin\", \"expires_in\": 60}", 10);
        assert_whole("PUT", "/iam/account/admin/policy/Admin", "{}", 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reading_gives_the_whole_or_nothing),
                cmocka_unit_test(what_is_made_is_answered_whole),
        };

        return cmocka_run_group_tests(tests, open_database, close_database);
}
