/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of PushLocal. Linked with --wrap=getrandom. */
#include "agent/request_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "tests/unit/keys.h"

static bool random_fails;

ssize_t __real_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags) {
        return random_fails ? -1 : __real_getrandom(to, n, flags);
}

static json_t *object; /* parameters of PushLocal; valid after setup() */
static struct push push;
static struct refused refused;

static int setup(void **state) {
        (void)state;
        random_fails = false;
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

/* Fills `push` from the parameters; its keys are not parsed. */
static enum refusal take(void) {
        enum refusal why;

        refused = (struct refused){.why = REFUSAL_NONE};
        memset(&push, 0xee, sizeof(push));
        why = request_parse_push_local(object, &push, &refused);
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
                fail_msg("%s: unexpected result %d: %s", field, (int)refused.why, refused.message);
        assert_string_equal(refused.field, field);
}

static void user_and_keys_suffice(void **state) {
        (void)state;
        assert_taken();
        assert_string_equal(push.user, "alice");
        assert_int_equal(push.n_keys, 1);
        assert_int_equal(push.ttl_s, 0);
        assert_int_equal(push.connections, 1);
        assert_false(push.restricted);
        assert_int_equal(push.n_sources, 0);
        assert_string_equal(push.principal, "");
        assert_string_equal(push.request_id, "");
}

static void every_parameter_is_taken(void **state) {
        char text[SOURCE_TEXT_MAX];

        (void)state;
        set("keys", json_pack("[ss]", known_keys[0].text, known_keys[1].text));
        set("ttl", json_integer(90));
        set("connections", json_integer(3));
        set("source", json_pack("[ss]", "192.0.2.0/24", "2001:db8::7"));
        set("restrict", json_true());
        set("principal", json_string("Ann"));
        set("requestId", json_string("R-1"));
        assert_taken();
        assert_int_equal(push.n_keys, 2);
        assert_string_equal(push.key_texts, known_keys[0].text);
        assert_string_equal(push.key_texts + strlen(push.key_texts) + 1, known_keys[1].text);
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

static void null_means_absent(void **state) {
        static const char *const optional[] = {"ttl", "connections", "source", "restrict", "principal", "requestId"};

        (void)state;
        for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
                set(optional[i], json_null());
        user_and_keys_suffice(NULL);
        set("user", json_null());
        assert_field_refused("user");
        set("user", json_string("alice"));
        set("keys", json_null());
        assert_field_refused("keys");
}

static void user_and_keys_are_required(void **state) {
        (void)state;
        json_object_del(object, "user");
        assert_field_refused("user");
        set("user", json_string("alice"));
        json_object_del(object, "keys");
        assert_field_refused("keys");
}

static void wrong_type_is_refused(void **state) {
        static const struct {
                const char *name, *types; /* each of text, integer, real, boolean, list and object that it is not */
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

static void unknown_parameter_is_refused(void **state) {
        static const char *const names[] = {"User", "key", "ttls", "connection", "sources", "", "crit", "aud", "user "};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                set(names[i], json_null());
                assert_field_refused(names[i]);
                json_object_del(object, names[i]);
        }
        assert_taken();
}

static void long_unknown_name_is_cut(void **state) {
        char name[1024];

        (void)state;
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        set(name, json_null());
        assert_int_equal(take(), REFUSAL_INVALID_PAYLOAD);
        assert_true(strlen(refused.field) < sizeof(refused.field));
        assert_int_equal(strncmp(name, refused.field, strlen(refused.field)), 0);
}

static void user_has_1_to_256_bytes(void **state) {
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

static void ttl_is_1_or_more(void **state) {
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

static void sources_are_1_to_16(void **state) {
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

static void source_must_be_one_for_sshd(void **state) {
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
                assert_non_null(strstr(refused.message, "item 1:"));
        }
        set("source", json_pack("[s]", "fe80::/10"));
        assert_field_refused("source");
        assert_non_null(
                strstr(refused.message, "source: item 0: a client with a link-local address matches no source"));
        set("source", json_array());
        assert_field_refused("source");
        set("source", json_pack("[i]", 1));
        assert_field_refused("source");
        set("source", json_pack("[n]"));
        assert_field_refused("source");
}

static void restrict_is_a_boolean(void **state) {
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

static void label_has_256_characters_of_any_size(void **state) {
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

static void empty_label_is_none(void **state) {
        (void)state;
        for (size_t i = 0; i < 2; i++) {
                set(label_names[i], json_string(""));
                assert_taken();
                assert_string_equal(label(i), "");
        }
}

static void label_must_be_safe_to_print(void **state) {
        static const char *const texts[] = {
                "a\nb", /* another line in a log */
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

static void each_push_has_its_own_identity(void **state) {
        char first[STORE_ID_MAX];

        (void)state;
        assert_taken();
        assert_int_equal(strlen(push.id), STORE_ID_MAX - 1);
        assert_int_equal(strspn(push.id, "0123456789abcdef"), STORE_ID_MAX - 1);
        memcpy(first, push.id, sizeof(first));
        assert_taken();
        assert_string_not_equal(push.id, first);
}

static void missing_random_bytes_are_a_failure(void **state) {
        (void)state;
        random_fails = true;
        assert_int_equal(take(), REFUSAL_STORAGE_FAILURE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(user_and_keys_suffice),
                TEST(every_parameter_is_taken),
                TEST(null_means_absent),
                TEST(user_and_keys_are_required),
                TEST(wrong_type_is_refused),
                TEST(unknown_parameter_is_refused),
                TEST(long_unknown_name_is_cut),
                TEST(user_has_1_to_256_bytes),
                TEST(ttl_is_1_or_more),
                TEST(connections_are_0_to_100),
                TEST(sources_are_1_to_16),
                TEST(source_must_be_one_for_sshd),
                TEST(restrict_is_a_boolean),
                TEST(label_has_256_characters_of_any_size),
                TEST(empty_label_is_none),
                TEST(label_must_be_safe_to_print),
                TEST(each_push_has_its_own_identity),
                TEST(missing_random_bytes_are_a_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
