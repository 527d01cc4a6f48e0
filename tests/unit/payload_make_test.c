/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/payload_make.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Made with ssh-keygen for this test. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
#define ECDSA                                                                                                          \
        "ecdsa-sha2-nistp256 "                                                                                         \
        "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLJQmvYRWeoYiGD7q9S2wXzyCqqa"                             \
        "J1EX/DXC+tojQWup927yAe5KCqusxaEMpI/1q+YakQylfiFlRdchTwCxYWw="
#define JTI "0123456789abcdefABCDEF"
#define FINGERPRINT "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"

static struct ssh_key keys[2];

static int read_keys(void **state) {
        (void)state;
        return ssh_key_from_text(ED25519, strlen(ED25519), &keys[0]) != SSH_KEY_OK ||
               ssh_key_from_text(ECDSA, strlen(ECDSA), &keys[1]) != SSH_KEY_OK;
}

static struct payload_terms good_terms(void) {
        return (struct payload_terms){.instance = "i-1", .iat = 1700000000, .exp = 1700000060, .jti = JTI};
}

static struct push_payload good_push(void) {
        return (struct push_payload){.terms = good_terms(), .user = "alice", .keys = {&keys[0]}, .n_keys = 1};
}

static struct revoke_payload good_revoke(void) {
        return (struct revoke_payload){.terms = good_terms(), .all = true};
}

/* The payload must be exactly this JSON, in this type's PAE. */
static void assert_payload(const struct envelope *envelope, const char *type, const char *expected) {
        char pae[4096];
        int n = snprintf(pae, sizeof(pae), "DSSEv1 %zu %s %zu %s", strlen(type), type, strlen(expected), expected);

        assert_string_equal(envelope->type, type);
        assert_int_equal(envelope->n_signatures, 0);
        assert_int_equal(envelope->pae_length, n);
        assert_memory_equal(envelope->pae, pae, (size_t)n);
}

static void assert_push(const struct push_payload *push, const char *expected) {
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX] = "";

        if (push_payload_make(push, &envelope, why) != 0)
                fail_msg("%s", why);
        assert_payload(&envelope, PUSH_PAYLOAD_TYPE, expected);
}

static void assert_revoke(const struct revoke_payload *revoke, const char *expected) {
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX] = "";

        if (revoke_payload_make(revoke, &envelope, why) != 0)
                fail_msg("%s", why);
        assert_payload(&envelope, REVOKE_PAYLOAD_TYPE, expected);
}

static void assert_push_refused(struct push_payload push, const char *what) {
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX] = "taken";

        assert_int_equal(push_payload_make(&push, &envelope, why), -EINVAL);
        if (strncmp(why, what, strlen(what)) != 0)
                fail_msg("not for \"%s\": %s", what, why);
}

static void assert_revoke_refused(struct revoke_payload revoke, const char *what) {
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX] = "taken";

        assert_int_equal(revoke_payload_make(&revoke, &envelope, why), -EINVAL);
        if (strncmp(why, what, strlen(what)) != 0)
                fail_msg("not for \"%s\": %s", what, why);
}

#define TERMS "\"aud\":\"exc:compute:instance/i-1\",\"iat\":1700000000,\"exp\":1700000060,\"jti\":\"" JTI "\""

static void a_push_says_what_was_given_and_nothing_else(void **state) {
        struct push_payload push = good_push();

        (void)state;
        assert_push(&push, "{" TERMS ",\"user\":\"alice\",\"keys\":[\"" ED25519 "\"]}");
}

static void every_field_of_a_push_arrives(void **state) {
        static const char *const crit[] = {"source", "later"};
        struct push_payload push = good_push();
        struct source sources[2];

        (void)state;
        assert_true(source_from_text("192.0.2.0/24", &sources[0]));
        assert_true(source_from_text("2001:db8::1", &sources[1]));
        push.terms.challenge = "c";
        push.keys[1] = &keys[1];
        push.n_keys = 2;
        push.ttl = 30;
        push.connections = 3;
        push.restricted = true;
        push.sources = sources;
        push.n_sources = 2;
        push.principal = "DOMAIN\\b\xc3\xb6"
                         "b";
        push.request_id = "R-1";
        push.crit = crit;
        push.n_crit = 2;
        assert_push(&push, "{" TERMS ",\"challenge\":\"c\",\"user\":\"alice\",\"keys\":[\"" ED25519 "\",\"" ECDSA
                           "\"],\"ttl\":30,\"connections\":3,\"restrict\":true,"
                           "\"source\":[\"192.0.2.0/24\",\"2001:db8::1\"],\"principal\":\"DOMAIN\\\\b\xc3\xb6"
                           "b\","
                           "\"requestId\":\"R-1\",\"crit\":[\"source\",\"later\"]}");
}

static void no_limit_of_connections_must_be_asked_for_by_name(void **state) {
        struct push_payload push = good_push();

        (void)state;
        push.connections = PUSH_MADE_CONNECTIONS_ANY;
        assert_push(&push, "{" TERMS ",\"user\":\"alice\",\"keys\":[\"" ED25519 "\"],\"connections\":0}");
}

static void an_instance_may_be_named_with_its_prefix(void **state) {
        struct push_payload push = good_push();

        (void)state;
        push.terms.instance = "exc:compute:instance/i-1";
        assert_push(&push, "{" TERMS ",\"user\":\"alice\",\"keys\":[\"" ED25519 "\"]}");
}

static void a_revocation_is_of_a_fingerprint_a_user_or_all(void **state) {
        struct revoke_payload revoke = good_revoke();

        (void)state;
        assert_revoke(&revoke, "{" TERMS ",\"all\":true}");
        revoke = (struct revoke_payload){.terms = good_terms(), .user = "alice"};
        assert_revoke(&revoke, "{" TERMS ",\"user\":\"alice\"}");
        revoke = (struct revoke_payload){.terms = good_terms(), .fingerprint = FINGERPRINT};
        assert_revoke(&revoke, "{" TERMS ",\"fingerprint\":\"" FINGERPRINT "\"}");
}

static void a_revocation_of_nothing_or_of_two_things_is_refused(void **state) {
        struct revoke_payload revoke = good_revoke();

        (void)state;
        revoke.all = false;
        assert_revoke_refused(revoke, "a revocation is of one");
        revoke.user = "alice";
        revoke.all = true;
        assert_revoke_refused(revoke, "a revocation is of one");
        revoke.all = false;
        revoke.fingerprint = FINGERPRINT;
        assert_revoke_refused(revoke, "a revocation is of one");
        revoke.user = NULL;
        revoke.fingerprint = "SHA256:short";
        assert_revoke_refused(revoke, "fingerprint: ");
        revoke = good_revoke();
        revoke.terms.exp = revoke.terms.iat;
        assert_revoke_refused(revoke, "exp: ");
        revoke = good_revoke();
        revoke.all = false;
        revoke.user = "";
        assert_revoke_refused(revoke, "user: ");
}

static void an_instance_id_is_printable_without_blanks(void **state) {
        static const char *const bad[] = {"", "exc:compute:instance/", "a b", "a\n", "a\x7f", "\xc3\xbc", NULL};
        struct push_payload push = good_push();
        char id[INSTANCE_MAX + 2];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                push.terms.instance = bad[i];
                assert_push_refused(push, "instance: ");
        }
        memset(id, 'x', sizeof(id) - 1);
        id[sizeof(id) - 1] = '\0';
        push.terms.instance = id;
        assert_push_refused(push, "instance: ");
}

static void a_push_is_valid_for_5_minutes_and_with_a_challenge_for_an_hour(void **state) {
        struct push_payload push = good_push();
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX];

        (void)state;
        push.terms.exp = push.terms.iat + 300;
        assert_int_equal(push_payload_make(&push, &envelope, why), 0);
        push.terms.exp++;
        assert_push_refused(push, "exp: a payload is valid for 1 to 300 seconds without a challenge");
        push.terms.challenge = "c";
        assert_int_equal(push_payload_make(&push, &envelope, why), 0);
        push.terms.exp = push.terms.iat + 3600;
        assert_int_equal(push_payload_make(&push, &envelope, why), 0);
        push.terms.exp++;
        assert_push_refused(push, "exp: a payload is valid for 1 to 3600 seconds with a challenge");
        push.terms.exp = push.terms.iat;
        assert_push_refused(push, "exp: ");
}

static void a_time_that_no_clock_shows_is_refused(void **state) {
        struct push_payload push = good_push();

        (void)state;
        push.terms.iat = -1;
        assert_push_refused(push, "iat, exp: ");
        push.terms.iat = INT64_MIN;
        push.terms.exp = INT64_MAX;
        assert_push_refused(push, "iat, exp: ");
        push.terms.iat = (INT64_C(1) << 40) - 1;
        push.terms.exp = (INT64_C(1) << 40) + 1;
        assert_push_refused(push, "iat, exp: ");
}

static void a_jti_has_16_to_128_characters(void **state) {
        struct push_payload push = good_push();
        char jti[130];

        (void)state;
        push.terms.jti = NULL;
        assert_push_refused(push, "jti: ");
        push.terms.jti = "012345678901234";
        assert_push_refused(push, "jti: ");
        memset(jti, 'x', 129);
        jti[129] = '\0';
        push.terms.jti = jti;
        assert_push_refused(push, "jti: ");
}

static void a_challenge_that_no_guest_gives_is_refused(void **state) {
        struct push_payload push = good_push();

        (void)state;
        push.terms.challenge = "";
        assert_push_refused(push, "challenge: ");
        push.terms.challenge = "a\nb";
        assert_push_refused(push, "challenge: ");
}

static void a_login_name_has_at_most_256_bytes_of_utf8(void **state) {
        struct push_payload push = good_push();
        char user[LOGIN_MAX + 2];

        (void)state;
        push.user = NULL;
        assert_push_refused(push, "user: ");
        push.user = "";
        assert_push_refused(push, "user: ");
        push.user = "a\xff";
        assert_push_refused(push, "user: ");
        memset(user, 'x', sizeof(user) - 1);
        user[sizeof(user) - 1] = '\0';
        push.user = user;
        assert_push_refused(push, "user: ");
}

static void no_key_too_many_or_one_twice_is_refused(void **state) {
        struct push_payload push = good_push();

        (void)state;
        push.n_keys = 0;
        assert_push_refused(push, "keys: a push has");
        push.n_keys = PUSH_MADE_KEYS_MAX + 1;
        assert_push_refused(push, "keys: a push has");
        push.n_keys = 2;
        push.keys[1] = &keys[0];
        assert_push_refused(push, "keys: key 2 is the same as key 1");
}

static void limits_out_of_range_are_refused(void **state) {
        struct push_payload push = good_push();

        (void)state;
        push.ttl = -1;
        assert_push_refused(push, "ttl: ");
        push.ttl = 0;
        push.connections = 101;
        assert_push_refused(push, "connections: ");
        push.connections = -2;
        assert_push_refused(push, "connections: ");
}

static void sources_must_be_ranges_and_at_most_16(void **state) {
        struct source sources[PUSH_MADE_SOURCES_MAX + 1] = {{.family = SOURCE_V4, .prefix = 8, .address = {10, 1}}};
        struct push_payload push = good_push();

        (void)state;
        push.sources = sources;
        push.n_sources = 1;
        assert_push_refused(push, "source: range 1");
        push.n_sources = PUSH_MADE_SOURCES_MAX + 1;
        assert_push_refused(push, "source: at most 16");
}

static void labels_must_be_printable_and_at_most_256_characters(void **state) {
        struct push_payload push = good_push();
        char label[258];

        (void)state;
        push.principal = "bob\x1b[2J";
        assert_push_refused(push, "principal: ");
        push.principal = NULL;
        memset(label, 'x', sizeof(label) - 1);
        label[sizeof(label) - 1] = '\0';
        push.request_id = label;
        assert_push_refused(push, "requestId: ");
}

static void names_in_crit_must_be_printable_and_at_most_16(void **state) {
        static const char *const bad[] = {"a", ""};
        const char *many[PUSH_MADE_CRIT_MAX + 1];
        struct push_payload push = good_push();

        (void)state;
        push.crit = bad;
        push.n_crit = 2;
        assert_push_refused(push, "crit: name 2");
        for (size_t i = 0; i < PUSH_MADE_CRIT_MAX + 1; i++)
                many[i] = "x";
        push.crit = many;
        push.n_crit = PUSH_MADE_CRIT_MAX + 1;
        assert_push_refused(push, "crit: at most 16");
}

static void what_goes_beyond_one_message_is_refused(void **state) {
        struct ssh_key large[PUSH_MADE_KEYS_MAX];
        struct source sources[PUSH_MADE_SOURCES_MAX];
        const char *crit[PUSH_MADE_CRIT_MAX];
        struct push_payload push = good_push();
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX], label[256 * 4 + 1], user[LOGIN_MAX + 1];

        (void)state;
        /* Of everything the most that is allowed; of the keys only the length counts here. */
        for (size_t i = 0; i < PUSH_MADE_KEYS_MAX; i++) {
                large[i] = (struct ssh_key){.type = SSH_KEY_SK_ECDSA_P256, .blob_length = SSH_KEY_BLOB_MAX};
                large[i].blob[0] = (uint8_t)i;
                push.keys[i] = &large[i];
        }
        push.n_keys = PUSH_MADE_KEYS_MAX;
        for (size_t i = 0; i < PUSH_MADE_SOURCES_MAX; i++)
                assert_true(source_from_text("2001:db8:1111:1111:1111:1111:1111:1111", &sources[i]));
        push.sources = sources;
        push.n_sources = PUSH_MADE_SOURCES_MAX;
        memset(user, '"', LOGIN_MAX); /* which takes two bytes in JSON */
        user[LOGIN_MAX] = '\0';
        push.user = user;
        for (size_t i = 0; i < 256; i++)
                memcpy(label + 4 * i, "\xf0\x9f\x94\x91", 4);
        label[sizeof(label) - 1] = '\0';
        push.principal = label;
        push.request_id = label;
        assert_int_equal(push_payload_make(&push, &envelope, why), 0);
        for (size_t i = 0; i < PUSH_MADE_CRIT_MAX; i++)
                crit[i] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        push.crit = crit;
        push.n_crit = PUSH_MADE_CRIT_MAX;
        assert_int_equal(push_payload_make(&push, &envelope, why), -E2BIG);
        assert_non_null(strstr(why, "too many for one message"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_push_says_what_was_given_and_nothing_else),
                cmocka_unit_test(every_field_of_a_push_arrives),
                cmocka_unit_test(no_limit_of_connections_must_be_asked_for_by_name),
                cmocka_unit_test(an_instance_may_be_named_with_its_prefix),
                cmocka_unit_test(a_revocation_is_of_a_fingerprint_a_user_or_all),
                cmocka_unit_test(a_revocation_of_nothing_or_of_two_things_is_refused),
                cmocka_unit_test(an_instance_id_is_printable_without_blanks),
                cmocka_unit_test(a_push_is_valid_for_5_minutes_and_with_a_challenge_for_an_hour),
                cmocka_unit_test(a_time_that_no_clock_shows_is_refused),
                cmocka_unit_test(a_jti_has_16_to_128_characters),
                cmocka_unit_test(a_challenge_that_no_guest_gives_is_refused),
                cmocka_unit_test(a_login_name_has_at_most_256_bytes_of_utf8),
                cmocka_unit_test(no_key_too_many_or_one_twice_is_refused),
                cmocka_unit_test(limits_out_of_range_are_refused),
                cmocka_unit_test(sources_must_be_ranges_and_at_most_16),
                cmocka_unit_test(labels_must_be_printable_and_at_most_256_characters),
                cmocka_unit_test(names_in_crit_must_be_printable_and_at_most_16),
                cmocka_unit_test(what_goes_beyond_one_message_is_refused),
        };

        return cmocka_run_group_tests(tests, read_keys, NULL);
}
