/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap=getrandom and --wrap=EVP_Digest. */
#include "agent/push.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "tests/unit/keys.h"

static bool random_fails, digest_fails;

ssize_t __real_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags) {
        return random_fails ? -1 : __real_getrandom(to, n, flags);
}

int __real_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl) {
        return digest_fails ? 0 : __real_EVP_Digest(from, n, ret, ret_size, type, impl);
}

static json_t *object; /* what is pushed: in order as setup() leaves it */
static struct push push;
static struct refused refused;

static int setup(void **state) {
        (void)state;
        random_fails = digest_fails = false;
        object = json_pack("{ss s[s]}", "user", "alice", "keys", known_keys[0].text);
        return object ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        json_decref(object);
        return 0;
}

static void set(const char *name, json_t *value) {
        assert_non_null(value);
        assert_int_equal(json_object_set_new(object, name, value), 0);
}

static enum refusal take(void) {
        enum refusal why;

        refused = (struct refused){.why = REFUSAL_NONE};
        memset(&push, 0xee, sizeof(push));
        why = push_from_local(object, &push, &refused);
        if (why == REFUSAL_NONE)
                why = push_check_keys(&push, &refused);
        assert_int_equal(refused.why, why);
        if (why != REFUSAL_NONE)
                assert_true(strlen(refused.message) > 0);
        return why;
}

static void assert_taken(void) {
        if (take() != REFUSAL_NONE)
                fail_msg("refused: %s", refused.message);
}

static void assert_field_refused(const char *field) {
        if (take() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s: result %d instead: %s", field, (int)refused.why, refused.message);
        assert_string_equal(refused.field, field);
}

static void assert_key_refused(int index) {
        if (take() != REFUSAL_KEY_REJECTED)
                fail_msg("result %d instead: %s", (int)refused.why, refused.message);
        assert_int_equal(refused.index, index);
}

/* Ed25519 keys that differ. */
static const char *key_text(uint8_t number) {
        static char text[SSH_KEY_TEXT_MAX];
        struct ssh_key key;

        assert_int_equal(ssh_key_from_text(known_keys[0].text, strlen(known_keys[0].text), &key), SSH_KEY_OK);
        memset(key.blob + key.blob_length - 32, number, 32);
        ssh_key_to_text(&key, text);
        return text;
}

static json_t *keys(size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                assert_int_equal(json_array_append_new(list, json_string(key_text((uint8_t)i))), 0);
        return list;
}

static void a_push_of_user_and_keys_alone_has_the_defaults(void **state) {
        (void)state;
        assert_taken();
        assert_string_equal(push.user, "alice");
        assert_int_equal(push.n_keys, 1);
        assert_int_equal(push.keys[0].key.type, SSH_KEY_ED25519);
        assert_int_equal(push.ttl_s, 0);
        assert_int_equal(push.connections, 1);
        assert_false(push.restricted);
        assert_int_equal(push.n_sources, 0);
        assert_string_equal(push.principal, "");
        assert_string_equal(push.request_id, "");
}

static void every_member_is_taken(void **state) {
        char text[SOURCE_TEXT_MAX];

        (void)state;
        set("keys", keys(2));
        set("ttl", json_integer(90));
        set("connections", json_integer(3));
        set("source", json_pack("[ss]", "192.0.2.0/24", "2001:db8::7"));
        set("restrict", json_true());
        set("principal", json_string("Ann"));
        set("requestId", json_string("R-1"));
        assert_taken();
        assert_int_equal(push.n_keys, 2);
        assert_int_equal(push.keys[0].key.blob[push.keys[0].key.blob_length - 1], 0);
        assert_int_equal(push.keys[1].key.blob[push.keys[1].key.blob_length - 1], 1);
        assert_int_equal(push.ttl_s, 90);
        assert_int_equal(push.connections, 3);
        assert_int_equal(push.n_sources, 2);
        source_to_text(&push.sources[0], text);
        assert_string_equal(text, "192.0.2.0/24");
        source_to_text(&push.sources[1], text);
        assert_string_equal(text, "2001:db8::7");
        assert_true(push.restricted);
        assert_string_equal(push.principal, "Ann");
        assert_string_equal(push.request_id, "R-1");
}

static void null_is_the_same_as_absent(void **state) {
        static const char *const optional[] = {"ttl", "connections", "source", "restrict", "principal", "requestId"};

        (void)state;
        for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
                set(optional[i], json_null());
        a_push_of_user_and_keys_alone_has_the_defaults(NULL);
        set("user", json_null());
        assert_field_refused("user");
        set("user", json_string("alice"));
        set("keys", json_null());
        assert_field_refused("keys");
}

static void a_push_without_user_or_keys_is_refused(void **state) {
        (void)state;
        json_object_del(object, "user");
        assert_field_refused("user");
        set("user", json_string("alice"));
        json_object_del(object, "keys");
        assert_field_refused("keys");
}

static void a_member_of_another_type_is_refused(void **state) {
        static const struct {
                const char *name, *types; /* every one of [text, integer, real, boolean, list, object] that it is not */
        } members[] = {
                {"user", "irblo"},   {"keys", "tirbo"},     {"ttl", "trblo"},       {"connections", "trblo"},
                {"source", "tirbo"}, {"restrict", "tirlo"}, {"principal", "irblo"}, {"requestId", "irblo"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                json_t *before = json_incref(json_object_get(object, members[i].name));

                for (const char *type = members[i].types; *type; type++) {
                        set(members[i].name, *type == 't'   ? json_string("1")
                                             : *type == 'i' ? json_integer(1)
                                             : *type == 'r' ? json_real(1)
                                             : *type == 'b' ? json_true()
                                             : *type == 'l' ? json_pack("[i]", 1)
                                                            : json_pack("{si}", "a", 1));
                        assert_field_refused(members[i].name);
                }
                if (before)
                        set(members[i].name, before);
                else
                        json_object_del(object, members[i].name);
                assert_taken();
        }
}

static void a_name_that_is_not_known_is_refused_by_its_name(void **state) {
        static const char *const names[] = {"User", "key", "ttls", "connection", "sources", "", "crit", "aud", "user "};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                set(names[i], json_null());
                assert_field_refused(names[i]);
                json_object_del(object, names[i]);
        }
        assert_taken();
}

static void an_unknown_name_of_any_length_is_cut_to_what_fits(void **state) {
        char name[1024];

        (void)state;
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        set(name, json_null());
        assert_int_equal(take(), REFUSAL_INVALID_PAYLOAD);
        assert_true(strlen(refused.field) < sizeof(refused.field));
        assert_int_equal(strncmp(name, refused.field, strlen(refused.field)), 0);
}

/* A signed push has more members, and others look at those. */
static void the_common_members_are_taken_from_among_others(void **state) {
        (void)state;
        set("aud", json_string("exc:compute:instance/1"));
        push = (struct push){.n_keys = 0};
        assert_int_equal(push_take_fields(object, &push, &refused), REFUSAL_NONE);
        assert_string_equal(push.user, "alice");
        assert_int_equal(push.n_keys, 1);
}

static void a_user_has_1_to_256_bytes(void **state) {
        char name[258];

        (void)state;
        memset(name, 'u', sizeof(name));
        name[257] = '\0';
        set("user", json_string(name));
        assert_field_refused("user");
        name[256] = '\0';
        set("user", json_string(name));
        assert_taken();
        assert_string_equal(push.user, name);
        set("user", json_string(""));
        assert_field_refused("user");
        /* Bytes, not characters. */
        for (size_t i = 0; i < 256; i += 2)
                memcpy(name + i, "\xc3\xbc", 2);
        set("user", json_string(name));
        assert_taken();
        assert_string_equal(push.user, name);
        name[254] = '\0';
        set("user", json_sprintf("%s%s", name, "\xe2\x82\xac"));
        assert_field_refused("user");
}

static void there_are_1_to_8_keys(void **state) {
        (void)state;
        set("keys", keys(0));
        assert_field_refused("keys");
        set("keys", keys(9));
        assert_field_refused("keys");
        set("keys", keys(8));
        assert_taken();
        assert_int_equal(push.n_keys, 8);
}

static void a_key_that_is_no_text_is_refused(void **state) {
        (void)state;
        set("keys", json_pack("[si]", known_keys[0].text, 1));
        assert_field_refused("keys");
        set("keys", json_pack("[n]"));
        assert_field_refused("keys");
        set("keys", json_pack("[[s]]", known_keys[0].text));
        assert_field_refused("keys");
}

static void a_key_that_is_not_taken_is_named_by_its_index(void **state) {
        (void)state;
        for (size_t i = 0; i < PUSH_KEYS_MAX; i++) {
                json_t *list = keys(PUSH_KEYS_MAX);

                assert_int_equal(json_array_set_new(list, i, json_string("ssh-ed25519 AAAA")), 0);
                set("keys", list);
                assert_key_refused((int)i);
        }
}

static void nothing_may_stand_beside_a_key(void **state) {
        static const char *const forms[] = {"%s ", "%s me@here", " %s", "%s\n", "command=\"x\" %s", "%s\\n%s", "", "x"};

        (void)state;
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
                char text[1024];
                const char *at = strstr(forms[i], "%s");

                (void)snprintf(text, sizeof(text), "%.*s%s%s", at ? (int)(at - forms[i]) : (int)strlen(forms[i]),
                               forms[i], at ? known_keys[0].text : "", at ? at + 2 : "");
                set("keys", json_pack("[s]", text));
                assert_key_refused(0);
        }
}

/* A key's text never comes back: not to the peer, and through the message not into the journal. */
static void a_refusal_does_not_repeat_the_key(void **state) {
        (void)state;
        set("keys", json_pack("[s]", "ssh-ed25519 SECRETSECRET"));
        assert_key_refused(0);
        assert_null(strstr(refused.message, "SECRET"));
}

static void the_same_key_twice_is_refused_at_its_second_place(void **state) {
        json_t *list = keys(4);

        (void)state;
        assert_int_equal(json_array_set_new(list, 3, json_string(key_text(1))), 0);
        set("keys", list);
        assert_key_refused(3);
        assert_non_null(strstr(refused.message, "key 1"));
}

static void keys_of_every_type_are_taken_with_sshds_fingerprint(void **state) {
        json_t *list = json_array();

        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++)
                assert_int_equal(json_array_append_new(list, json_string(known_keys[i].text)), 0);
        set("keys", list);
        assert_taken();
        assert_int_equal(push.n_keys, N_KNOWN_KEYS);
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];

                assert_int_equal(push.keys[i].key.type, known_keys[i].type);
                store_fingerprint_text(push.keys[i].fingerprint, fingerprint);
                assert_string_equal(fingerprint, known_keys[i].fingerprint);
        }
}

/* An ECDSA key's text, its point changed: 'y' in its last bit, '0' to zeros, 'i' to infinity (SEC 1 section 2.3.3). */
static json_t *with_point(const struct known_key *known, char change) {
        char text[SSH_KEY_TEXT_MAX];
        struct ssh_key key;

        assert_int_equal(ssh_key_from_text(known->text, strlen(known->text), &key), SSH_KEY_OK);
        if (change == 'y')
                key.blob[key.point_offset + key.point_length - 1] ^= 1;
        else
                memset(key.blob + key.point_offset + 1, 0, key.point_length - 1);
        if (change == 'i') {
                size_t rest = key.blob_length - key.point_offset - key.point_length;

                memcpy(key.blob + key.point_offset - 4, "\0\0\0\1\0", 5);
                memmove(key.blob + key.point_offset + 1, key.blob + key.point_offset + key.point_length, rest);
                key.blob_length = key.point_offset + 1 + rest;
        }
        ssh_key_to_text(&key, text);
        return json_pack("[ss]", known_keys[0].text, text);
}

static void a_point_that_is_not_on_the_curve_is_refused(void **state) {
        unsigned tried = 0;

        (void)state;
        for (size_t i = 0; i < N_KNOWN_KEYS; i++) {
                if (strstr(known_keys[i].text, "ecdsa") == NULL)
                        continue;
                for (const char *change = "y0i"; *change; change++) {
                        set("keys", with_point(&known_keys[i], *change));
                        assert_key_refused(1);
                        tried++;
                }
        }
        assert_int_equal(tried, 12);
}

static void a_ttl_is_1_or_more(void **state) {
        (void)state;
        set("ttl", json_integer(1));
        assert_taken();
        assert_int_equal(push.ttl_s, 1);
        set("ttl", json_integer(INT64_MAX));
        assert_taken();
        assert_true(push.ttl_s == INT64_MAX);
        set("ttl", json_integer(0));
        assert_field_refused("ttl");
        set("ttl", json_integer(-1));
        assert_field_refused("ttl");
        set("ttl", json_integer(INT64_MIN));
        assert_field_refused("ttl");
}

static void connections_are_0_to_100(void **state) {
        static const json_int_t wrong[] = {-1, 101, 255, 256, 257, 356, INT64_MAX, INT64_MIN};

        (void)state;
        set("connections", json_integer(0));
        assert_taken();
        assert_int_equal(push.connections, 0);
        set("connections", json_integer(100));
        assert_taken();
        assert_int_equal(push.connections, 100);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                set("connections", json_integer(wrong[i]));
                assert_field_refused("connections");
        }
}

static json_t *sources(size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                assert_int_equal(json_array_append_new(list, json_sprintf("192.0.2.%zu", i)), 0);
        return list;
}

static void there_are_1_to_16_sources(void **state) {
        (void)state;
        set("source", sources(16));
        assert_taken();
        assert_int_equal(push.n_sources, 16);
        assert_int_equal(push.sources[15].address[3], 15);
        set("source", sources(17));
        assert_field_refused("source");
        set("source", sources(0));
        assert_field_refused("source");
}

static void a_source_that_sshd_would_not_take_is_refused(void **state) {
        static const char *const texts[] = {
                "192.0.2.1/24",
                "2001:db8::1/32",
                "192.0.2.0/33",
                "192.0.2.0/",
                "0.0.0.0/00",
                "host.example",
                "*",
                "!192.0.2.1",
                "192.0.2.1,192.0.2.2",
                "192.0.2.1\"",
                " 192.0.2.1",
                "",
                "::ffff:192.0.2.1",
                "fe80::1%eth0",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                set("source", json_pack("[ss]", "192.0.2.7", texts[i]));
                assert_field_refused("source");
                assert_non_null(strstr(refused.message, "source 1 "));
        }
        set("source", json_array());
        assert_field_refused("source");
        set("source", json_pack("[i]", 1));
        assert_field_refused("source");
        set("source", json_pack("[n]"));
        assert_field_refused("source");
}

static void false_is_no_restriction(void **state) {
        (void)state;
        set("restrict", json_false());
        assert_taken();
        assert_false(push.restricted);
        set("restrict", json_true());
        assert_taken();
        assert_true(push.restricted);
}

static const char *const label_names[] = {"principal", "requestId"};

static const char *label(size_t i) {
        return i == 0 ? push.principal : push.request_id;
}

/* `n` times the same character. */
static json_t *repeated(const char *character, size_t n) {
        char text[4 * 300 + 1] = "";

        for (size_t i = 0; i < n; i++)
                strcat(text, character);
        return json_string(text);
}

static void a_label_has_at_most_256_characters_of_any_size(void **state) {
        static const char *const characters[] = {"a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                for (size_t j = 0; j < sizeof(characters) / sizeof(characters[0]); j++) {
                        set(label_names[i], repeated(characters[j], 256));
                        assert_taken();
                        assert_int_equal(strlen(label(i)), 256 * strlen(characters[j]));
                        set(label_names[i], repeated(characters[j], 257));
                        assert_field_refused(label_names[i]);
                }
                json_object_del(object, label_names[i]);
        }
}

static void an_empty_label_is_none(void **state) {
        (void)state;
        for (size_t i = 0; i < 2; i++) {
                set(label_names[i], json_string(""));
                assert_taken();
                assert_string_equal(label(i), "");
        }
}

static void a_label_with_what_a_terminal_obeys_or_hides_is_refused(void **state) {
        static const char *const texts[] = {
                "a\nb", /* a line of its own in somebody's log */
                "a\rb",
                "a\tb",
                "\x1b[2J", /* an escape sequence */
                "a\x7f",   /* delete */
                "a\xc2\x9b"
                "31m", /* C1: control sequence introducer */
                "a\xe2\x80\xae"
                "b", /* right-to-left override */
                "a\xe2\x80\xaa"
                "b", /* left-to-right embedding */
                "a\xe2\x81\xa6"
                "b", /* left-to-right isolate */
                "a\xe2\x80\x8f"
                "b", /* right-to-left mark */
                "a\xd8\x9c"
                "b", /* Arabic letter mark */
                "a\xe2\x80\x8b"
                "b", /* no width */
                "a\xe2\x80\xa8"
                "b", /* line separator */
                "\xef\xbb\xbf"
                "a",                 /* byte order mark */
                "a\xf3\xa0\x81\x81", /* a tag */
        };

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
                        set(label_names[i], json_string(texts[j]));
                        assert_field_refused(label_names[i]);
                }
                set(label_names[i], json_string("CORP\\\xc3\xa5sa <asa@example.com> \"\xd7\xa9\""));
                assert_taken();
        }
}

static void each_push_has_an_identity_of_its_own(void **state) {
        char first[STORE_ID_MAX];

        (void)state;
        assert_taken();
        assert_int_equal(strlen(push.id), STORE_ID_MAX - 1);
        assert_int_equal(strspn(push.id, "0123456789abcdef"), STORE_ID_MAX - 1);
        memcpy(first, push.id, sizeof(first));
        assert_taken();
        assert_string_not_equal(push.id, first);
}

static void without_random_bytes_nothing_is_taken(void **state) {
        (void)state;
        random_fails = true;
        assert_int_equal(take(), REFUSAL_STORAGE_FAILURE);
}

static void without_a_digest_nothing_is_taken(void **state) {
        (void)state;
        digest_fails = true;
        assert_int_equal(take(), REFUSAL_STORAGE_FAILURE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_push_of_user_and_keys_alone_has_the_defaults),
                TEST(every_member_is_taken),
                TEST(null_is_the_same_as_absent),
                TEST(a_push_without_user_or_keys_is_refused),
                TEST(a_member_of_another_type_is_refused),
                TEST(a_name_that_is_not_known_is_refused_by_its_name),
                TEST(an_unknown_name_of_any_length_is_cut_to_what_fits),
                TEST(the_common_members_are_taken_from_among_others),
                TEST(a_user_has_1_to_256_bytes),
                TEST(there_are_1_to_8_keys),
                TEST(a_key_that_is_no_text_is_refused),
                TEST(a_key_that_is_not_taken_is_named_by_its_index),
                TEST(nothing_may_stand_beside_a_key),
                TEST(a_refusal_does_not_repeat_the_key),
                TEST(the_same_key_twice_is_refused_at_its_second_place),
                TEST(keys_of_every_type_are_taken_with_sshds_fingerprint),
                TEST(a_point_that_is_not_on_the_curve_is_refused),
                TEST(a_ttl_is_1_or_more),
                TEST(connections_are_0_to_100),
                TEST(there_are_1_to_16_sources),
                TEST(a_source_that_sshd_would_not_take_is_refused),
                TEST(false_is_no_restriction),
                TEST(a_label_has_at_most_256_characters_of_any_size),
                TEST(an_empty_label_is_none),
                TEST(a_label_with_what_a_terminal_obeys_or_hides_is_refused),
                TEST(each_push_has_an_identity_of_its_own),
                TEST(without_random_bytes_nothing_is_taken),
                TEST(without_a_digest_nothing_is_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
