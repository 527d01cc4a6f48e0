/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/keys.h"

#define HEAD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct signer_request request;
static struct refused why;

static json_t *push(void) {
        json_t *object = json_pack("{ss ss s[s] ss ss ss}", "instance", "42", "user", "alice", "publicKeys",
                                   known_keys[0].text, "principal", "operator", "requestId", "r-1", "auditHead", HEAD);

        assert_non_null(object);
        return object;
}

static json_t *revocation(void) {
        json_t *object = json_pack("{ss ss ss ss}", "instance", "42", "principal", "operator", "requestId", "r-1",
                                   "auditHead", HEAD);

        assert_non_null(object);
        return object;
}

static bool parse(enum signer_kind kind, json_t *object) {
        bool ok = signer_request_parse(kind, object, &request, &why);

        json_decref(object);
        return ok;
}

static void assert_taken(enum signer_kind kind, json_t *object) {
        if (!parse(kind, object))
                fail_msg("%s: %s", why.field, why.message);
}

/* The value, as JSON, of one more field. */
static json_t *with(json_t *object, const char *name, const char *value) {
        json_t *parsed = json_loads(value, JSON_DECODE_ANY, NULL);

        assert_non_null(parsed);
        assert_int_equal(json_object_set_new(object, name, parsed), 0);
        return object;
}

static void assert_refused(enum signer_kind kind, json_t *object, const char *field, const char *what) {
        if (parse(kind, object))
                fail_msg("accepted: %s %s", field, what);
        assert_string_equal(why.field, field);
        assert_true(why.message[0] != '\0');
}

static void assert_push_refused(const char *name, const char *value) {
        assert_refused(SIGNER_PUSH, with(push(), name, value), name, value);
}

static void least_push_is_taken(void **state) {
        (void)state;
        assert_taken(SIGNER_PUSH, push());
        assert_string_equal(request.instance, "42");
        assert_string_equal(request.user, "alice");
        assert_int_equal(request.n_keys, 1);
        assert_string_equal(request.fingerprints[0], known_keys[0].fingerprint);
        assert_string_equal(request.fingerprints[1], "");
        assert_int_equal(request.ttl, 0);
        assert_int_equal(request.connections, -1);
        assert_int_equal(request.n_sources, 0);
        assert_false(request.restricted);
        assert_string_equal(request.challenge, "");
        assert_string_equal(request.audit_head, HEAD);
}

static void whole_push_is_taken(void **state) {
        json_t *object = with(with(with(with(with(push(), "ttl", "31536000"), "connections", "0"), "sources",
                                        "[\"192.0.2.7\", \"2001:db8::/32\"]"),
                                   "restrict", "true"),
                              "challenge", "\"abc\"");

        (void)state;
        assert_taken(SIGNER_PUSH, object);
        assert_int_equal(request.ttl, 31536000);
        assert_int_equal(request.connections, 0);
        assert_int_equal(request.n_sources, 2);
        assert_true(request.restricted);
        assert_string_equal(request.challenge, "abc");
}

static void null_is_absent(void **state) {
        (void)state;
        assert_taken(SIGNER_PUSH, with(with(push(), "ttl", "null"), "sources", "null"));
        assert_push_refused("user", "null");
}

static void every_required_field_is_asked_for(void **state) {
        static const char *const names[] = {"instance", "user", "publicKeys", "principal", "requestId", "auditHead"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                json_t *object = push();

                assert_int_equal(json_object_del(object, names[i]), 0);
                assert_refused(SIGNER_PUSH, object, names[i], "missing");
        }
}

static void wrong_fields_are_refused(void **state) {
        static const struct {
                const char *name, *value;
        } wrong[] = {
                {"instance", "\"\""},
                {"instance", "\"exc:compute:instance/42\""},
                {"instance", "\"A\""},
                {"instance", "\".a\""},
                {"instance", "\"a b\""},
                {"instance", "\"a/b\""},
                {"instance", "\"connect\""},
                {"instance", "42"},
                {"user", "\"\""},
                {"user", "\"-oProxyCommand=x\""},
                {"user", "\"a\\nb\""},
                {"user", "\"a\\u202eb\""},
                {"user", "7"},
                {"publicKeys", "[]"},
                {"publicKeys", "\"x\""},
                {"publicKeys", "[7]"},
                {"publicKeys", "[\"ssh-ed25519 AAAA\"]"},
                {"ttl", "0"},
                {"ttl", "-1"},
                {"ttl", "1.5"},
                {"ttl", "\"60\""},
                {"connections", "-1"},
                {"connections", "101"},
                {"sources", "[]"},
                {"sources", "[\"192.0.2.7/24\"]"},
                {"sources", "[\"::ffff:192.0.2.7\"]"},
                {"sources", "[\"example.com\"]"},
                {"sources", "[\"fe80::/64\"]"},
                {"restrict", "1"},
                {"challenge", "\"\""},
                {"challenge", "\"a b\""},
                {"principal", "\"\""},
                {"principal", "\"a\\u0007\""},
                {"requestId", "\"\""},
                {"auditHead", "\"\""},
                {"auditHead", "\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\""},
                {"auditHead", "\"" HEAD "0\""},
                {"payload", "\"e30=\""},
                {"iat", "0"},
                {"exp", "99999999999"},
                {"crit", "[]"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_push_refused(wrong[i].name, wrong[i].value);
}

static void keys_with_options_or_comments_are_refused(void **state) {
        static const char *const before[] = {"command=\\\"x\\\" ", "restrict ", "\\t", ""}, *const after[] = {
                                                                                                    "", "", "", " me"};

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                char value[1024];

                (void)snprintf(value, sizeof(value), "[\"%s%s%s\"]", before[i], known_keys[0].text, after[i]);
                assert_push_refused("publicKeys", value);
        }
}

static void limits_of_lists_and_texts_hold(void **state) {
        json_t *keys = json_array(), *sources = json_array();
        char text[400];

        (void)state;
        for (int i = 0; i < 8; i++)
                assert_int_equal(json_array_append_new(keys, json_string(known_keys[i % N_KNOWN_KEYS].text)), 0);
        for (int i = 0; i < 16; i++)
                assert_int_equal(json_array_append_new(sources, json_string("192.0.2.7")), 0);
        {
                json_t *object = push();

                assert_int_equal(json_object_set(object, "publicKeys", keys), 0);
                assert_int_equal(json_object_set(object, "sources", sources), 0);
                assert_taken(SIGNER_PUSH, object);
                assert_int_equal(request.n_keys, 8);
                assert_int_equal(request.n_sources, 16);
        }
        assert_int_equal(json_array_append_new(keys, json_string(known_keys[0].text)), 0);
        assert_int_equal(json_array_append_new(sources, json_string("192.0.2.7")), 0);
        {
                json_t *object = push(), *other = push();

                assert_int_equal(json_object_set(object, "publicKeys", keys), 0);
                assert_refused(SIGNER_PUSH, object, "publicKeys", "nine");
                assert_int_equal(json_object_set(other, "sources", sources), 0);
                assert_refused(SIGNER_PUSH, other, "sources", "seventeen");
        }
        json_decref(keys);
        json_decref(sources);

        memset(text, 'n', sizeof(text));
        text[0] = '"';
        text[257] = '"';
        text[258] = '\0';
        assert_taken(SIGNER_PUSH, with(push(), "user", text));
        assert_taken(SIGNER_PUSH, with(push(), "principal", text));
        text[257] = 'n';
        text[258] = '"';
        text[259] = '\0';
        assert_push_refused("user", text);
        assert_push_refused("principal", text);
        text[65] = '"';
        text[66] = '\0';
        assert_taken(SIGNER_PUSH, with(push(), "instance", text));
        text[65] = 'n';
        text[66] = '"';
        text[67] = '\0';
        assert_push_refused("instance", text);
}

static void log_fields_survive_a_refusal(void **state) {
        (void)state;
        assert_push_refused("instance", "\"A\"");
        assert_string_equal(request.principal, "operator");
        assert_string_equal(request.request_id, "r-1");
        assert_string_equal(request.audit_head, HEAD);
        assert_push_refused("unknown", "7");
        assert_string_equal(request.user, "alice");
}

static void revocation_is_of_exactly_one(void **state) {
        const char *fingerprint = "\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"";

        (void)state;
        assert_taken(SIGNER_REVOKE, with(revocation(), "fingerprint", fingerprint));
        assert_string_equal(request.fingerprints[0], known_keys[0].fingerprint);
        assert_taken(SIGNER_REVOKE, with(revocation(), "user", "\"root\""));
        assert_taken(SIGNER_REVOKE, with(with(revocation(), "all", "true"), "user", "null"));
        assert_true(request.all);
        assert_refused(SIGNER_REVOKE, revocation(), "fingerprint", "none");
        assert_refused(SIGNER_REVOKE, with(revocation(), "all", "false"), "fingerprint", "all: false");
        assert_refused(SIGNER_REVOKE, with(with(revocation(), "all", "true"), "user", "\"a\""), "fingerprint", "two");
        assert_refused(SIGNER_REVOKE, with(revocation(), "fingerprint", "\"SHA256:x\""), "fingerprint", "malformed");
        assert_refused(SIGNER_REVOKE, with(revocation(), "publicKeys", "[]"), "publicKeys", "of a push");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(least_push_is_taken),
                cmocka_unit_test(whole_push_is_taken),
                cmocka_unit_test(null_is_absent),
                cmocka_unit_test(every_required_field_is_asked_for),
                cmocka_unit_test(wrong_fields_are_refused),
                cmocka_unit_test(keys_with_options_or_comments_are_refused),
                cmocka_unit_test(limits_of_lists_and_texts_hold),
                cmocka_unit_test(log_fields_survive_a_refusal),
                cmocka_unit_test(revocation_is_of_exactly_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
