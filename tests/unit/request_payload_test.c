/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a signed payload. Those that PushLocal has too are in request_local_test.c. */
#include "tests/unit/payload_members.h"

static void required_members_suffice(void **state) {
        (void)state;
        assert_taken();
        assert_string_equal(terms.aud, "exc:compute:instance/i-1");
        assert_int_equal(terms.iat_s, 1800000000);
        assert_int_equal(terms.exp_s, 1800000060);
        assert_string_equal(terms.jti, "0123456789abcdef");
        assert_false(terms.has_challenge);
        assert_string_equal(push.user, "alice");
        assert_int_equal(push.n_keys, 1);
        assert_int_equal(push.ttl_s, 0);
        assert_int_equal(push.connections, 1);
        assert_int_equal(push.n_sources, 0);
        assert_false(push.restricted);
        assert_string_equal(push.principal, "");
        assert_string_equal(push.request_id, "");
        assert_string_equal(push.id, "");
}

static void every_member_is_taken(void **state) {
        (void)state;
        set("challenge", "\"AAECAwQFBgcICQoLDA0ODw\"");
        set("ttl", "42");
        set("connections", "7");
        set("source", "[\"192.0.2.0/24\",\"2001:db8::1\"]");
        set("restrict", "true");
        set("principal", "\"carol\"");
        set("requestId", "\"r-1\"");
        set("crit",
            "[\"aud\",\"user\",\"keys\",\"iat\",\"exp\",\"ttl\",\"jti\",\"challenge\",\"connections\",\"source\","
            "\"restrict\",\"principal\",\"requestId\",\"crit\"]");
        assert_taken();
        assert_true(terms.has_challenge);
        assert_string_equal(terms.challenge, "AAECAwQFBgcICQoLDA0ODw");
        assert_int_equal(push.ttl_s, 42);
        assert_int_equal(push.connections, 7);
        assert_int_equal(push.n_sources, 2);
        assert_true(push.restricted);
        assert_string_equal(push.principal, "carol");
        assert_string_equal(push.request_id, "r-1");
}

static void each_required_member_is_needed(void **state) {
        static const char *const names[] = {"aud", "iat", "exp", "jti", "user", "keys"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_member_refused(names[i], NULL);
}

static void null_is_a_wrong_type(void **state) {
        static const char *const names[] = {"aud",       "iat",       "exp",         "jti",      "user",
                                            "keys",      "ttl",       "connections", "source",   "restrict",
                                            "principal", "requestId", "crit",        "challenge"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_member_refused(names[i], "null");
}

static void wrong_type_is_refused(void **state) {
        static const char *const others[] = {"{}", "[[]]", "1.5", "[1]", "{\"a\":\"b\"}"};
        static const char *const names[] = {"aud",       "iat",       "exp",         "jti",      "user",
                                            "keys",      "ttl",       "connections", "source",   "restrict",
                                            "principal", "requestId", "crit",        "challenge"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
                        assert_member_refused(names[i], others[j]);
        assert_member_refused("aud", "1");
        assert_member_refused("jti", "1234567890123456");
        assert_member_refused("user", "1");
        assert_member_refused("keys", KEY);
        assert_member_refused("iat", "\"1800000000\"");
        assert_member_refused("exp", "true");
        assert_member_refused("ttl", "\"60\"");
        assert_member_refused("connections", "true");
        assert_member_refused("restrict", "1");
        assert_member_refused("restrict", "\"true\"");
        assert_member_refused("source", "\"192.0.2.1\"");
        assert_member_refused("crit", "\"aud\"");
        assert_member_refused("challenge", "7");
}

static void times_are_seconds_up_to_2_to_the_40(void **state) {
        (void)state;
        assert_member_refused("iat", "-1");
        assert_member_refused("iat", "1800000000.0");
        assert_member_refused("iat", "18e8");
        assert_member_refused("exp", "1099511627777");
        assert_member_refused("iat", "1099511627777");
        assert_member_refused("iat", "9223372036854775807");
        assert_member_refused("exp", "-9223372036854775808");
        set("iat", "0");
        set("exp", "1");
        assert_taken();
        assert_int_equal(terms.iat_s, 0);
        set("iat", "1099511627775");
        set("exp", "1099511627776");
        assert_taken();
        assert_int_equal(terms.exp_s, INT64_C(1) << 40);
}

static void window_has_a_limit(void **state) {
        (void)state;
        set("exp", "1800000000");
        assert_refused("exp");
        set("exp", "1799999999");
        assert_refused("exp");
        set("exp", "1800000001");
        assert_taken();
        set("exp", "1800000300");
        assert_taken();
        set("exp", "1800000301");
        assert_refused("exp");
        set("challenge", "\"\"");
        assert_taken();
        set("exp", "1800003600");
        assert_taken();
        set("exp", "1800003601");
        assert_refused("exp");
        set("exp", "1800000000");
        assert_refused("exp");
}

static void jti_is_16_to_128_printable_ascii(void **state) {
        char text[140] = "\"";

        (void)state;
        for (size_t n = 0; n < sizeof(text) - 3; n++) {
                set("jti", text);
                text[n + 1] = '"';
                text[n + 2] = '\0';
                if (n >= 16 && n <= 128) {
                        assert_taken();
                        assert_int_equal(strlen(terms.jti), n);
                } else {
                        assert_refused("jti");
                }
                text[n + 1] = "! ~a"[n % 4];
        }
        assert_member_refused("jti", "\"0123456789abcde\\u007f\"");
        assert_member_refused("jti", "\"0123456789abcde\\n\"");
        assert_member_refused("jti", "\"0123456789abcde\xc3\xa4\"");
        assert_member_refused("jti", "\"0123456789abcde\\u001f\"");
}

static void long_aud_is_cut(void **state) {
        char text[1024], own[320];

        (void)state;
        memset(text, 'x', sizeof(text));
        memcpy(text, "\"exc:compute:instance/", 22);
        memcpy(text + sizeof(text) - 2, "\"", 2);
        set("aud", text);
        assert_taken();
        assert_int_equal(strlen(terms.aud), sizeof(terms.aud) - 1);
        assert_true(strlen(terms.aud) > sizeof(own));
}

static void long_challenge_is_cut(void **state) {
        char text[300];

        (void)state;
        memset(text, 'A', sizeof(text));
        text[0] = '"';
        memcpy(text + sizeof(text) - 2, "\"", 2);
        set("challenge", text);
        assert_taken();
        assert_int_equal(strlen(terms.challenge), sizeof(terms.challenge) - 1);
}

static void empty_challenge_is_one(void **state) {
        (void)state;
        set("challenge", "\"\"");
        assert_taken();
        assert_true(terms.has_challenge);
}

/* So that policy is asked first (push.md, "Order of checks"). */
static void bad_key_is_no_fault_of_the_payload(void **state) {
        static const char *const lists[] = {
                "[" KEY ",\"ssh-dss AAAA\"]",
                "[" KEY ",\"\"]",
                "[" KEY "," KEY "]",
                "[" KEY ",\"no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTapf\"]",
                "[" KEY ",\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTapf me\"]",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                set("keys", lists[i]);
                assert_int_equal(take_push(), REFUSAL_NONE);
                assert_int_equal(request_parse_keys(&push, &refused), REFUSAL_KEY_REJECTED);
                assert_int_equal(refused.index, 1);
        }
}

static void unknown_member_is_ignored(void **state) {
        (void)state;
        set("x", "{\"y\":[true,null,\"z\",-7]}");
        set("Aud", "1");
        set("", "[]");
        assert_taken();
}

static void unknown_name_in_crit_is_refused(void **state) {
        (void)state;
        set("crit", "[]");
        assert_taken();
        set("crit", "[\"x\"]");
        assert_refused("crit");
        set("x", "1");
        assert_refused("crit");
        set("crit", "[\"user\",\"Aud\"]");
        assert_refused("crit");
        set("crit", "[\"\"]");
        assert_refused("crit");
        set("crit", "[\"fingerprint\"]");
        assert_refused("crit");
        set("crit", "[\"ttl\"]");
        assert_taken();
}

static void crit_has_at_most_16_names(void **state) {
        char text[256] = "[\"aud\"";

        (void)state;
        for (int i = 0; i < 15; i++)
                strcat(text, ",\"aud\"");
        strcat(text, "]");
        set("crit", text);
        assert_taken();
        strcpy(text + strlen(text) - 1, ",\"aud\"]");
        set("crit", text);
        assert_refused("crit");
        assert_member_refused("crit", "[1]");
        assert_member_refused("crit", "[\"aud\",null]");
}

/* push.md, "Order of checks": schema, then crit. */
static void schema_comes_before_crit(void **state) {
        (void)state;
        set("crit", "[\"x\"]");
        set("requestId", "1");
        assert_refused("requestId");
        set("requestId", NULL);
        set("jti", "\"short\"");
        assert_refused("jti");
}

static void revocation_names_fingerprint_user_or_all(void **state) {
        (void)state;
        set("fingerprint", FINGERPRINT);
        assert_int_equal(take_revocation(), REFUSAL_NONE);
        assert_string_equal(revocation.fingerprint, "gnOW-ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0");
        assert_string_equal(revocation.user, "");
        assert_false(revocation.all);
        assert_string_equal(terms.jti, "0123456789abcdef");
        set("fingerprint", NULL);
        set("user", "\"alice\"");
        assert_int_equal(take_revocation(), REFUSAL_NONE);
        assert_string_equal(revocation.fingerprint, "");
        assert_string_equal(revocation.user, "alice");
        assert_false(revocation.all);
        set("user", NULL);
        set("all", "true");
        assert_int_equal(take_revocation(), REFUSAL_NONE);
        assert_string_equal(revocation.fingerprint, "");
        assert_string_equal(revocation.user, "");
        assert_true(revocation.all);
}

static void revocation_names_exactly_one(void **state) {
        (void)state;
        assert_int_equal(take_revocation(), REFUSAL_INVALID_PAYLOAD);
        for (int which = 0; which < 8; which++) {
                begin();
                set("fingerprint", which & 1 ? FINGERPRINT : NULL);
                set("user", which & 2 ? "\"alice\"" : NULL);
                set("all", which & 4 ? "true" : NULL);
                assert_int_equal(take_revocation(),
                                 which == 1 || which == 2 || which == 4 ? REFUSAL_NONE : REFUSAL_INVALID_PAYLOAD);
        }
        begin();
        set("fingerprint", FINGERPRINT);
        set("user", "null");
        assert_int_equal(take_revocation(), REFUSAL_INVALID_PAYLOAD);
        set("user", NULL);
        set("all", "false");
        assert_int_equal(take_revocation(), REFUSAL_INVALID_PAYLOAD);
}

static void what_is_revoked_is_well_formed(void **state) {
        static const char *const fingerprints[] = {
                "\"\"",
                "null",
                "1",
                "\"gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"",
                "\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa\"",
                "\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0=\"",
                "\"SHA256:gnOW-ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"",
                "\"MD5:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"",
        };
        static const char *const users[] = {"\"\"", "null", "1", "[\"alice\"]"};
        static const char *const alls[] = {"false", "null", "1", "\"true\"", "[]"};
        char user[260];

        (void)state;
        for (size_t i = 0; i < sizeof(fingerprints) / sizeof(fingerprints[0]); i++) {
                begin();
                set("fingerprint", fingerprints[i]);
                assert_revocation_refused("fingerprint");
        }
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                begin();
                set("user", users[i]);
                assert_revocation_refused("user");
        }
        for (size_t i = 0; i < sizeof(alls) / sizeof(alls[0]); i++) {
                begin();
                set("all", alls[i]);
                assert_revocation_refused("all");
        }
        memset(user, 'u', sizeof(user));
        user[0] = '"';
        memcpy(user + 257, "\"", 2);
        begin();
        set("user", user);
        assert_int_equal(take_revocation(), REFUSAL_NONE);
        assert_int_equal(strlen(revocation.user), 256);
        memcpy(user + 257, "u\"", 3);
        assert_revocation_refused("user");
}

static void revocation_has_the_terms_of_a_push(void **state) {
        static const struct {
                const char *name, *text;
        } bad[] = {{"aud", NULL},         {"aud", "1"},          {"iat", NULL},        {"iat", "-1"},
                   {"exp", "1800000000"}, {"exp", "1800000301"}, {"jti", "\"short\""}, {"challenge", "1"},
                   {"challenge", "null"}, {"crit", "1"},         {"crit", "[\"x\"]"},  {"crit", "[\"keys\"]"},
                   {"x", "1.5"}};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                begin();
                set("all", "true");
                set(bad[i].name, bad[i].text);
                assert_revocation_refused(bad[i].name);
        }
        begin();
        set("all", "true");
        set("challenge", "\"c\"");
        set("exp", "1800003600");
        set("crit", "[\"aud\",\"iat\",\"exp\",\"jti\",\"challenge\",\"fingerprint\",\"user\",\"all\",\"crit\"]");
        set("keys", "[]");
        assert_int_equal(take_revocation(), REFUSAL_NONE);
        assert_true(terms.has_challenge);
        assert_string_equal(terms.challenge, "c");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                PUSH(required_members_suffice),
                PUSH(every_member_is_taken),
                PUSH(each_required_member_is_needed),
                PUSH(null_is_a_wrong_type),
                PUSH(wrong_type_is_refused),
                PUSH(times_are_seconds_up_to_2_to_the_40),
                PUSH(window_has_a_limit),
                PUSH(jti_is_16_to_128_printable_ascii),
                PUSH(long_aud_is_cut),
                PUSH(long_challenge_is_cut),
                PUSH(empty_challenge_is_one),
                PUSH(bad_key_is_no_fault_of_the_payload),
                PUSH(unknown_member_is_ignored),
                PUSH(unknown_name_in_crit_is_refused),
                PUSH(crit_has_at_most_16_names),
                PUSH(schema_comes_before_crit),
                REVOCATION(revocation_names_fingerprint_user_or_all),
                REVOCATION(revocation_names_exactly_one),
                REVOCATION(what_is_revoked_is_well_formed),
                REVOCATION(revocation_has_the_terms_of_a_push),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
