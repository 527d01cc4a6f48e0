/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane without memory: each operation again and again, with the first, the second and so on of its allocations
 * failing, those of jansson too. It ends as it should or says that it cannot; the leak sanitizer sees what it leaves.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/delivery.h"
#include "cloud/policy/policy.h"
#include "cloud/policy/policy_cache.h"
#include "cloud/signer/signer_service.h"
#include "tests/unit/keys.h"
#include "tests/unit/no_memory.h"
#include "wire/json.h"

#define TOKEN "abcdefghijklmnopqrst-_"
#define HEAD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- policies ---------------------------------------------------------------------------------------------------- */

static const char document[] =
        "{\"Version\":\"2024-03-05\",\"Statements\":[{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Action\":[\"compute:*\","
        "\"iam:*\"],\"Resource\":\"*\",\"Condition\":{\"IpAddress\":{\"exc:SourceIp\":[\"192.0.2.0/24\"]}}},"
        "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"exc:compute:instance/7\"}]}";

static struct policy *parse(void) {
        struct policy *policy = NULL;
        char why[POLICY_WHY_MAX];
        int r = policy_parse(document, strlen(document), &policy, why);

        assert_true(r == 0 || (has_failed && !policy));
        return policy;
}

/* What is read without memory means the same: a Deny never becomes an Allow. */
static void parse_and_ask(void) {
        struct policy_request request = {"compute:instance:connect", "exc:compute:instance/42", "192.0.2.7", NULL};
        struct policy *policy = parse();
        struct policy_decision decision;

        if (!policy)
                return;
        policy_evaluate((const struct policy *[]){policy}, 1, &request, &decision);
        assert_int_equal(decision.effect, POLICY_ALLOW);
        request.resource = "exc:compute:instance/7";
        policy_evaluate((const struct policy *[]){policy}, 1, &request, &decision);
        assert_int_equal(decision.effect, POLICY_DENY);
        policy_free(policy);
}

static void keep_in_cache(void) {
        struct policy_cache *cache = policy_cache_new(2, 1 << 20);
        struct policy *policy = cache ? parse() : NULL, *kept;

        assert_true(cache || has_failed);
        if (policy)
                policy_cache_add(cache, 1, policy);
        kept = policy ? policy_cache_get(cache, 1) : NULL;
        assert_true(kept == policy || has_failed);
        policy_free(kept);
        policy_free(policy);
        policy_cache_free(cache);
}

static void policies_keep_their_meaning(void **state) {
        (void)state;
        assert_true(without_memory(parse_and_ask) > 10);
        assert_true(without_memory(keep_in_cache) > 10);
}

/* --- signatures -------------------------------------------------------------------------------------------------- */

static struct signer_service signer;
static size_t n_signed_lines, n_answers;
static bool is_signed;

int __wrap_line_log_open(const char *directory, const char *name, int64_t file_size, struct line_log **ret,
                         char ret_why[static LINE_LOG_WHY_MAX]);
int __wrap_line_log_open(const char *directory, const char *name, int64_t file_size, struct line_log **ret,
                         char ret_why[static LINE_LOG_WHY_MAX]) {
        static char log;

        (void)directory;
        (void)name;
        (void)file_size;
        ret_why[0] = '\0';
        *ret = (struct line_log *)&log;
        return 0;
}

int __wrap_line_log_append(struct line_log *log, const json_t *object, struct line_log_head *ret);
int __wrap_line_log_append(struct line_log *log, const json_t *object, struct line_log_head *ret) {
        (void)log;
        (void)ret;
        /* A line that lacks what it is about would be worse than none. */
        assert_string_equal(json_string_value(json_object_get(object, "principal")), "operator");
        assert_true(json_is_string(json_object_get(object, "audit_head")));
        assert_int_equal(n_answers, 0);
        n_signed_lines += strcmp(json_string_value(json_object_get(object, "outcome")), SIGNER_OUTCOME_SIGNED) == 0;
        return 0;
}

void __wrap_line_log_close(struct line_log *log);
void __wrap_line_log_close(struct line_log *log) {
        assert_non_null(log);
}

int __wrap_serve_reply(struct serve_call *call, json_t *parameters);
int __wrap_serve_reply(struct serve_call *call, json_t *parameters) {
        (void)call;
        n_answers++;
        is_signed = parameters != NULL;
        if (is_signed)
                assert_int_equal(json_array_size(json_object_get(parameters, "fingerprints")), 1);
        json_decref(parameters);
        return is_signed ? 0 : -ENOMEM;
}

int __wrap_serve_error(struct serve_call *call, const char *error, json_t *parameters);
int __wrap_serve_error(struct serve_call *call, const char *error, json_t *parameters) {
        (void)call;
        assert_non_null(error);
        n_answers++;
        json_decref(parameters);
        return 0;
}

static void sign(void) {
        struct serve_call call = {
                .method = SIGNER_INTERFACE ".SignPush",
                .parameters = json_pack("{ss ss s[s] ss ss ss s[s]}", "instance", "42", "user", "alice", "publicKeys",
                                        known_keys[0].text, "principal", "operator", "requestId", "r-1", "auditHead",
                                        HEAD, "sources", "192.0.2.7"),
        };

        n_signed_lines = n_answers = 0;
        is_signed = false;
        if (!call.parameters)
                return; /* the server drops such a call */
        signer_methods[0].call(&signer, &call);
        assert_int_equal(n_answers, 1);
        assert_true(is_signed ? n_signed_lines == 1 : has_failed);
        json_decref(call.parameters);
}

static void nothing_is_signed_without_its_line(void **state) {
        static const uint8_t secret[32] = {7};
        static const struct signer_config config = {.max_ttl_s = 300};
        static struct signer_key key = {.signer = {.key_id = "k1"}, .type = "ed25519"};

        (void)state;
        key.signer.key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
        assert_non_null(key.signer.key);
        signer = (struct signer_service){
                .config = &config, .key = &key, .log = signer_log_new("/x"), .lock = PTHREAD_MUTEX_INITIALIZER};
        assert_non_null(signer.log);
        assert_true(without_memory(sign) > 20);
        signer_log_free(signer.log);
        EVP_PKEY_free(key.signer.key);
}

/* --- deliveries -------------------------------------------------------------------------------------------------- */

static struct api_host host = {.name = "h1", .socket = "/x"};
static const struct api_config config = {.signer = "/x", .n_hosts = 1, .hosts = &host};
static struct ssh_key ssh_key;

static const char signed_answer[] =
        "{\"envelope\":{\"payloadType\":\"application/vnd.excloud.instance-connect.push.v1+json\",\"payload\":\"e30=\","
        "\"signatures\":[{\"keyid\":\"k\",\"sig\":\"AAAA\"}]},\"fingerprints\":"
        "[\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"],\"jti\":\"" TOKEN
        "\",\"iat\":1000,\"exp\":1060,\"ttl\":60}";
static const char hello_answer[] = "{\"handle\":\"h\",\"guestInstance\":\"42\",\"challenge\":\"" TOKEN
                                   "\",\"clock\":{\"unix\":1000,\"synchronized\":true}}";
static const char push_answer[] = "{\"user\":\"alice\",\"fingerprints\":"
                                  "[\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"],\"expiresIn\":60,"
                                  "\"duplicate\":false,\"hostKeys\":[]}";

enum client_result __wrap_varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters,
                                            int timeout_ms, bool idempotent, struct client_reply *ret,
                                            struct varlink_fault *ret_fault);
enum client_result __wrap_varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters,
                                            int timeout_ms, bool idempotent, struct client_reply *ret,
                                            struct varlink_fault *ret_fault) {
        const char *text = strstr(method, "Signer")  ? signed_answer
                           : strstr(method, "Hello") ? hello_answer
                                                     : push_answer;
        bool is_complete = parameters != NULL;

        (void)pool;
        (void)timeout_ms;
        (void)idempotent;
        /* What is asked with less than all of its members would be another question. */
        if (parameters && strstr(method, "Signer")) {
                assert_non_null(json_object_get(parameters, "auditHead"));
                assert_non_null(json_object_get(parameters, "sources"));
                assert_non_null(json_object_get(parameters, "challenge"));
        }
        if (parameters && strstr(method, "Deliver"))
                assert_non_null(json_object_get(parameters, "handle"));
        json_decref(parameters);
        *ret = (struct client_reply){.parameters = is_complete ? json_read(text, strlen(text), 8) : NULL};
        if (ret->parameters)
                return CLIENT_DONE;
        *ret_fault = (struct varlink_fault){.error = -ENOMEM, .sent = is_complete, .why = "out of memory"};
        return CLIENT_FAILED;
}

static void deliver(void) {
        static const struct signer_reason reason = {.principal = "ann", .request_id = "r1", .audit_head = HEAD};
        static struct source source;
        const struct signer_push push = {.instance = "42",
                                         .user = "alice",
                                         .key = &ssh_key,
                                         .ttl_s = 60,
                                         .sources = &source,
                                         .n_sources = 1,
                                         .restricted = true,
                                         .reason = reason};
        const struct delivery_order order = {.instance = "42",
                                             .host = "h1",
                                             .push = &push,
                                             .fingerprint = known_keys[0].fingerprint,
                                             .challenge_first = true,
                                             .deadline_ns = INT64_MAX};
        struct delivery *delivery = delivery_new(&config);
        static struct delivery_outcome outcome;

        assert_true(delivery || has_failed);
        assert_true(source_from_text("192.0.2.7", &source));
        if (!delivery)
                return;
        delivery_send(delivery, &order, &outcome);
        assert_true(outcome.end == DELIVERY_DONE || has_failed);
        if (outcome.end == DELIVERY_DONE)
                assert_string_equal(outcome.push.user, "alice");
        delivery_free(delivery);
}

static void deliveries_ask_for_all_or_nothing(void **state) {
        (void)state;
        assert_int_equal(ssh_key_from_text(known_keys[0].text, strlen(known_keys[0].text), &ssh_key), SSH_KEY_OK);
        assert_true(without_memory(deliver) > 50);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(policies_keep_their_meaning),
                cmocka_unit_test(nothing_is_signed_without_its_line),
                cmocka_unit_test(deliveries_ask_for_all_or_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
