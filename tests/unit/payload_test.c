/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape\""
#define FINGERPRINT "\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\""

/* The payload: members in their order, each with its JSON text. setup() leaves it in order. */
struct member {
        const char *name;
        const char *text;
};
static struct member members[40];
static size_t n_members;

static struct terms terms;
static struct push push;
static struct revocation revocation;
static struct refused refused;

static void add(const char *name, const char *text) {
        assert_true(n_members < sizeof(members) / sizeof(members[0]));
        members[n_members].name = name;
        members[n_members++].text = text;
}

static void set(const char *name, const char *text) {
        for (size_t i = 0; i < n_members; i++)
                if (strcmp(members[i].name, name) == 0) {
                        members[i].text = text;
                        return;
                }
        add(name, text);
}

/* NULL stands for a member that is not there. */
static size_t write_payload(char *dst, size_t size) {
        FILE *to = fmemopen(dst, size, "w");
        const char *between = "{";
        long n;

        assert_non_null(to);
        for (size_t i = 0; i < n_members; i++) {
                if (!members[i].text)
                        continue;
                assert_true(fprintf(to, "%s\"%s\":%s", between, members[i].name, members[i].text) > 0);
                between = ",";
        }
        assert_true(fprintf(to, "%s}", between[0] == '{' ? "{" : "") > 0);
        assert_int_equal(fflush(to), 0);
        n = ftell(to);
        assert_true(n > 0 && (size_t)n < size);
        assert_int_equal(fclose(to), 0);
        return (size_t)n;
}

static enum refusal take_push_text(const char *text, size_t length) {
        /* No byte more than it has, for the sanitizer to see what is read behind it. */
        uint8_t *exact = malloc(length ? length : 1);
        enum refusal r;

        assert_non_null(exact);
        memcpy(exact, text, length);
        memset(&terms, 0xee, sizeof(terms));
        memset(&push, 0xee, sizeof(push));
        refused = (struct refused){.why = REFUSAL_NONE};
        r = payload_take_push(exact, length, &terms, &push, &refused);
        free(exact);
        assert_int_equal(refused.why, r);
        assert_true(r == REFUSAL_NONE || strlen(refused.message) > 0);
        return r;
}

static enum refusal take_revocation_text(const char *text, size_t length) {
        enum refusal r;

        memset(&terms, 0xee, sizeof(terms));
        memset(&revocation, 0xee, sizeof(revocation));
        refused = (struct refused){.why = REFUSAL_NONE};
        r = payload_take_revocation((const uint8_t *)text, length, &terms, &revocation, &refused);
        assert_int_equal(refused.why, r);
        assert_true(r == REFUSAL_NONE || strlen(refused.message) > 0);
        return r;
}

static enum refusal take_push(void) {
        static char text[65536];

        return take_push_text(text, write_payload(text, sizeof(text)));
}

static enum refusal take_revocation(void) {
        static char text[65536];

        return take_revocation_text(text, write_payload(text, sizeof(text)));
}

static void begin(void) {
        n_members = 0;
        add("aud", "\"exc:compute:instance/i-1\"");
        add("iat", "1800000000");
        add("exp", "1800000060");
        add("jti", "\"0123456789abcdef\"");
}

static void begin_push(void) {
        begin();
        add("user", "\"alice\"");
        add("keys", "[" KEY "]");
}

static int setup(void **state) {
        (void)state;
        begin_push();
        return 0;
}

static int setup_revocation(void **state) {
        (void)state;
        begin();
        return 0;
}

static void assert_taken(void) {
        if (take_push() != REFUSAL_NONE)
                fail_msg("refused: %s %s", refused.field, refused.message);
        if (push_check_keys(&push, &refused) != REFUSAL_NONE)
                fail_msg("refused: %s", refused.message);
}

static void assert_refused(const char *field) {
        if (take_push() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s was taken", field);
        assert_string_equal(refused.field, field);
}

/* With that text as that member, and then again without. */
static void assert_member_refused(const char *name, const char *text) {
        set(name, text);
        if (take_push() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s was taken: %s", name, text);
        assert_string_equal(refused.field, name);
        begin_push();
}

static void the_members_that_are_required_are_enough(void **state) {
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
        assert_false(push.is_signed || push.by_clock || push.resumed);
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

static void each_required_member_must_be_there(void **state) {
        static const char *const names[] = {"aud", "iat", "exp", "jti", "user", "keys"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_member_refused(names[i], NULL);
}

static void null_is_of_the_wrong_type_for_every_member(void **state) {
        static const char *const names[] = {"aud",       "iat",       "exp",         "jti",      "user",
                                            "keys",      "ttl",       "connections", "source",   "restrict",
                                            "principal", "requestId", "crit",        "challenge"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_member_refused(names[i], "null");
}

static void members_of_another_type_are_refused(void **state) {
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

static void times_are_whole_seconds_from_0_to_2_to_the_40th(void **state) {
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

static void a_number_that_no_machine_word_holds_is_refused(void **state) {
        (void)state;
        set("x", "9223372036854775808");
        assert_int_equal(take_push(), REFUSAL_INVALID_PAYLOAD);
        set("x", "1e999");
        assert_int_equal(take_push(), REFUSAL_INVALID_PAYLOAD);
}

static void exp_must_be_later_than_iat_and_not_too_much(void **state) {
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

static void a_jti_is_16_to_128_printable_ascii_characters(void **state) {
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

static void an_aud_that_is_too_long_equals_no_guests_own(void **state) {
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

static void a_challenge_that_is_too_long_is_not_that_of_a_hello(void **state) {
        char text[300];

        (void)state;
        memset(text, 'A', sizeof(text));
        text[0] = '"';
        memcpy(text + sizeof(text) - 2, "\"", 2);
        set("challenge", text);
        assert_taken();
        assert_int_equal(strlen(terms.challenge), sizeof(terms.challenge) - 1);
}

static void an_empty_challenge_is_one(void **state) {
        (void)state;
        set("challenge", "\"\"");
        assert_taken();
        assert_true(terms.has_challenge);
}

static void a_user_has_1_to_256_bytes(void **state) {
        char text[260];

        (void)state;
        assert_member_refused("user", "\"\"");
        memset(text, 'u', sizeof(text));
        text[0] = '"';
        memcpy(text + 257, "\"", 2);
        set("user", text);
        assert_taken();
        assert_int_equal(strlen(push.user), 256);
        memcpy(text + 257, "u\"", 3);
        set("user", text);
        assert_refused("user");
}

static void one_to_eight_keys_are_taken(void **state) {
        char text[4096];
        FILE *to;

        (void)state;
        assert_member_refused("keys", "[]");
        for (int n = 1; n <= 9; n++) {
                to = fmemopen(text, sizeof(text), "w");
                assert_non_null(to);
                for (int i = 0; i < n; i++)
                        assert_true(fprintf(to,
                                            "%c\"ssh-ed25519 "
                                            "AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTap%c\"",
                                            i ? ',' : '[', "aeimquyCG"[i]) > 0);
                assert_true(fprintf(to, "]") > 0);
                assert_int_equal(fclose(to), 0);
                set("keys", text);
                if (n <= 8) {
                        assert_taken();
                        assert_int_equal(push.n_keys, n);
                } else {
                        assert_refused("keys");
                }
        }
}

/* So that policy is asked first (push.md, "Order of checks"). */
static void a_bad_key_is_no_fault_of_the_payload_but_is_told_when_asked_for(void **state) {
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
                assert_int_equal(push_check_keys(&push, &refused), REFUSAL_KEY_REJECTED);
                assert_int_equal(refused.index, 1);
        }
}

static void a_ttl_is_1_or_more(void **state) {
        (void)state;
        assert_member_refused("ttl", "0");
        assert_member_refused("ttl", "-1");
        assert_member_refused("ttl", "1.0");
        set("ttl", "1");
        assert_taken();
        set("ttl", "9223372036854775807");
        assert_taken();
        assert_int_equal(push.ttl_s, INT64_MAX);
}

static void connections_are_0_to_100(void **state) {
        (void)state;
        assert_member_refused("connections", "-1");
        assert_member_refused("connections", "101");
        assert_member_refused("connections", "256");
        set("connections", "0");
        assert_taken();
        assert_int_equal(push.connections, 0);
        set("connections", "100");
        assert_taken();
        assert_int_equal(push.connections, 100);
}

static void sources_are_at_most_16_addresses_or_ranges_with_zero_host_bits(void **state) {
        char text[512] = "[";

        (void)state;
        assert_member_refused("source", "[]");
        assert_member_refused("source", "[\"192.0.2.1/24\"]");
        assert_member_refused("source", "[\"\"]");
        assert_member_refused("source", "[\"host.example\"]");
        assert_member_refused("source", "[\"!192.0.2.1\"]");
        assert_member_refused("source", "[\"192.0.2.1,192.0.2.2\"]");
        for (int i = 0; i < 17; i++) {
                size_t n = strlen(text);

                (void)snprintf(text + n, sizeof(text) - n, "%s\"192.0.2.%d\"]", i ? "," : "", i);
                set("source", text);
                if (i < 16)
                        assert_taken();
                else
                        assert_refused("source");
                text[strlen(text) - 1] = '\0';
        }
}

static void labels_are_at_most_256_printable_characters(void **state) {
        static const char *const names[] = {"principal", "requestId"};
        char text[256 * 4 + 8];

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                assert_member_refused(names[i], "\"a\\nb\"");
                assert_member_refused(names[i], "\"\\u001b[2J\"");
                assert_member_refused(names[i], "\"\\u202e\"");
                text[0] = '"';
                for (size_t j = 0; j < 257; j++)
                        memcpy(text + 1 + 4 * j, "\xf0\x9f\x94\x91", 4);
                memcpy(text + 1 + 4 * 256, "\"", 2);
                set(names[i], text);
                assert_taken();
                memcpy(text + 1 + 4 * 256, "a\"", 3);
                set(names[i], text);
                assert_refused(names[i]);
                begin_push();
        }
}

static void a_name_that_is_not_known_is_passed_over(void **state) {
        (void)state;
        set("x", "{\"y\":[true,null,\"z\",-7]}");
        set("Aud", "1");
        set("", "[]");
        assert_taken();
}

static void a_name_in_crit_that_is_not_known_refuses_the_push(void **state) {
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

static void crit_holds_at_most_16_names(void **state) {
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
static void crit_is_asked_when_all_of_the_schema_holds(void **state) {
        (void)state;
        set("crit", "[\"x\"]");
        set("requestId", "1");
        assert_refused("requestId");
        set("requestId", NULL);
        set("jti", "\"short\"");
        assert_refused("jti");
}

static void a_name_twice_refuses_the_push_wherever_it_stands(void **state) {
        (void)state;
        add("user", "\"alice\"");
        assert_refused("");
        begin_push();
        add("\\u0075ser", "\"root\"");
        assert_refused("");
        begin_push();
        add("x", "1");
        add("x", "1");
        assert_refused("");
        begin_push();
        add("x", "{\"y\":{\"z\":1,\"z\":2}}");
        assert_refused("");
}

static void a_number_that_is_no_integer_refuses_the_push_wherever_it_stands(void **state) {
        static const char *const texts[] = {"1.5",     "1.0",         "1e2",       "-0.0",
                                            "[1,2.5]", "{\"y\":1E0}", "[[[0.1]]]", "{\"y\":{\"z\":[7.0]}}"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_member_refused("x", texts[i]);
        set("x", "[1,-2,{\"y\":3}]");
        assert_taken();
}

static void nesting_deeper_than_4_refuses_the_push(void **state) {
        (void)state;
        set("x", "[[[1]]]");
        assert_taken();
        set("x", "{\"a\":{\"b\":{}}}");
        assert_taken();
        set("x", "[[[[]]]]");
        assert_refused("");
        set("x", "{\"a\":{\"b\":{\"c\":{}}}}");
        assert_refused("");
        set("x", "\"[[[[[[[[\"");
        assert_taken();
}

static void a_nul_or_bad_utf_8_refuses_the_push(void **state) {
        static const char *const texts[] = {"\"a\\u0000b\"",    "\"\xff\"",    "\"\xc0\xaf\"",
                                            "\"\xed\xa0\x80\"", "\"\\ud800\"", "\"\xf4\x90\x80\x80\"",
                                            "\"\xc3\"",         "\"a\nb\""};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                begin_push();
                set("x", texts[i]);
                if (take_push() != REFUSAL_INVALID_PAYLOAD)
                        fail_msg("taken: %zu", i);
                begin_push();
                set("user", texts[i]);
                if (take_push() != REFUSAL_INVALID_PAYLOAD)
                        fail_msg("taken: %zu", i);
        }
        begin_push();
        add("a\\u0000b", "1");
        assert_refused("");
}

static void what_is_no_json_object_is_refused(void **state) {
        static const char *const texts[] = {"",           " ",           "null",    "1",   "\"a\"",          "[]",
                                            "[{}]",       "{",           "{}}",     "{}x", "\xef\xbb\xbf{}", "{'a':1}",
                                            "{\"a\":1,}", "{\"a\":NaN}", "// x\n{}"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                if (take_push_text(texts[i], strlen(texts[i])) != REFUSAL_INVALID_PAYLOAD)
                        fail_msg("taken: %s", texts[i]);
                assert_string_equal(refused.field, "");
                assert_int_equal(take_revocation_text(texts[i], strlen(texts[i])), REFUSAL_INVALID_PAYLOAD);
        }
}

static void nothing_may_stand_behind_the_payload_but_blanks(void **state) {
        char text[1024];
        size_t n = write_payload(text, sizeof(text));

        (void)state;
        assert_int_equal(take_push_text(text, n), REFUSAL_NONE);
        memcpy(text + n, " \n", 2);
        assert_int_equal(take_push_text(text, n + 2), REFUSAL_NONE);
        text[n] = '\0';
        assert_int_equal(take_push_text(text, n + 1), REFUSAL_INVALID_PAYLOAD);
        memcpy(text + n, "{}", 2);
        assert_int_equal(take_push_text(text, n + 2), REFUSAL_INVALID_PAYLOAD);
        for (size_t cut = 1; cut <= n; cut++)
                assert_int_equal(take_push_text(text, n - cut), REFUSAL_INVALID_PAYLOAD);
}

static void a_revocation_is_of_a_fingerprint_a_user_or_all(void **state) {
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

static void assert_revocation_refused(const char *field) {
        if (take_revocation() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s was taken", field);
        assert_string_equal(refused.field, field);
}

static void a_revocation_of_none_or_of_several_is_refused(void **state) {
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

static void what_is_revoked_must_be_well_formed(void **state) {
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

static void a_revocation_has_the_terms_of_a_push(void **state) {
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

#define PUSH(name) cmocka_unit_test_setup(name, setup)
#define REVOCATION(name) cmocka_unit_test_setup(name, setup_revocation)

int main(void) {
        const struct CMUnitTest tests[] = {
                PUSH(the_members_that_are_required_are_enough),
                PUSH(every_member_is_taken),
                PUSH(each_required_member_must_be_there),
                PUSH(null_is_of_the_wrong_type_for_every_member),
                PUSH(members_of_another_type_are_refused),
                PUSH(times_are_whole_seconds_from_0_to_2_to_the_40th),
                PUSH(a_number_that_no_machine_word_holds_is_refused),
                PUSH(exp_must_be_later_than_iat_and_not_too_much),
                PUSH(a_jti_is_16_to_128_printable_ascii_characters),
                PUSH(an_aud_that_is_too_long_equals_no_guests_own),
                PUSH(a_challenge_that_is_too_long_is_not_that_of_a_hello),
                PUSH(an_empty_challenge_is_one),
                PUSH(a_user_has_1_to_256_bytes),
                PUSH(one_to_eight_keys_are_taken),
                PUSH(a_bad_key_is_no_fault_of_the_payload_but_is_told_when_asked_for),
                PUSH(a_ttl_is_1_or_more),
                PUSH(connections_are_0_to_100),
                PUSH(sources_are_at_most_16_addresses_or_ranges_with_zero_host_bits),
                PUSH(labels_are_at_most_256_printable_characters),
                PUSH(a_name_that_is_not_known_is_passed_over),
                PUSH(a_name_in_crit_that_is_not_known_refuses_the_push),
                PUSH(crit_holds_at_most_16_names),
                PUSH(crit_is_asked_when_all_of_the_schema_holds),
                PUSH(a_name_twice_refuses_the_push_wherever_it_stands),
                PUSH(a_number_that_is_no_integer_refuses_the_push_wherever_it_stands),
                PUSH(nesting_deeper_than_4_refuses_the_push),
                PUSH(a_nul_or_bad_utf_8_refuses_the_push),
                PUSH(what_is_no_json_object_is_refused),
                PUSH(nothing_may_stand_behind_the_payload_but_blanks),
                REVOCATION(a_revocation_is_of_a_fingerprint_a_user_or_all),
                REVOCATION(a_revocation_of_none_or_of_several_is_refused),
                REVOCATION(what_is_revoked_must_be_well_formed),
                REVOCATION(a_revocation_has_the_terms_of_a_push),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
