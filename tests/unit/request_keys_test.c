/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a push. Linked with --wrap=EVP_Digest. */
#include "agent/request_parse.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/keys.h"

static bool digest_fails;

int __real_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *from, size_t n, unsigned char *ret, unsigned *ret_size, const EVP_MD *type,
                      ENGINE *impl) {
        return digest_fails ? 0 : __real_EVP_Digest(from, n, ret, ret_size, type, impl);
}

static json_t *object; /* parameters of PushLocal; valid after setup() */
static struct push push;
static struct refused refused;

static int setup(void **state) {
        (void)state;
        digest_fails = false;
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
        why = request_parse_push_local(object, &push, &refused);
        if (why == REFUSAL_NONE)
                why = request_parse_keys(&push, &refused);
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

static void assert_key_refused(int index) {
        if (take() != REFUSAL_KEY_REJECTED)
                fail_msg("unexpected result %d: %s", (int)refused.why, refused.message);
        assert_int_equal(refused.index, index);
}

/* Ed25519 keys that differ. */
static const char *key_text(uint8_t number) {
        static char text[SSH_KEY_TEXT_MAX];
        struct ssh_key key;

        assert_int_equal(ssh_key_from_text(known_keys[0].text, strlen(known_keys[0].text), &key), SSH_KEY_OK);
        memset(key.blob + key.blob_length - 32, number + 1, 32); /* all zeros is of low order */
        ssh_key_to_text(&key, text);
        return text;
}

static json_t *keys(size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                assert_int_equal(json_array_append_new(list, json_string(key_text((uint8_t)i))), 0);
        return list;
}

static void keys_are_1_to_8(void **state) {
        (void)state;
        set("keys", keys(0));
        assert_field_refused("keys");
        set("keys", keys(9));
        assert_field_refused("keys");
        set("keys", keys(8));
        assert_taken();
        assert_int_equal(push.n_keys, 8);
}

static void key_must_be_a_text(void **state) {
        (void)state;
        set("keys", json_pack("[si]", known_keys[0].text, 1));
        assert_field_refused("keys");
        set("keys", json_pack("[n]"));
        assert_field_refused("keys");
        set("keys", json_pack("[[s]]", known_keys[0].text));
        assert_field_refused("keys");
}

static void rejected_key_has_its_index(void **state) {
        (void)state;
        for (size_t i = 0; i < PUSH_KEYS_MAX; i++) {
                json_t *list = keys(PUSH_KEYS_MAX);

                assert_int_equal(json_array_set_new(list, i, json_string("ssh-ed25519 AAAA")), 0);
                set("keys", list);
                assert_key_refused((int)i);
        }
}

static void key_has_no_options_and_no_comment(void **state) {
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

/* The message goes to the peer and into the journal. */
static void refusal_does_not_quote_the_key(void **state) {
        (void)state;
        set("keys", json_pack("[s]", "ssh-ed25519 SECRETSECRET"));
        assert_key_refused(0);
        assert_null(strstr(refused.message, "SECRET"));
}

static void duplicate_key_is_rejected(void **state) {
        json_t *list = keys(4);

        (void)state;
        assert_int_equal(json_array_set_new(list, 3, json_string(key_text(1))), 0);
        set("keys", list);
        assert_key_refused(3);
        assert_non_null(strstr(refused.message, "key 1"));
}

static void every_type_has_sshds_fingerprint(void **state) {
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

/* An ECDSA key's text with another point: 'y' in its last bit, '0' to zeros, 'i' to infinity (SEC 1 section 2.3.3). */
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

static void point_must_be_on_its_curve(void **state) {
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

static void missing_digest_is_a_failure(void **state) {
        (void)state;
        digest_fails = true;
        assert_int_equal(take(), REFUSAL_STORAGE_FAILURE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(keys_are_1_to_8),
                TEST(key_must_be_a_text),
                TEST(rejected_key_has_its_index),
                TEST(key_has_no_options_and_no_comment),
                TEST(refusal_does_not_quote_the_key),
                TEST(duplicate_key_is_rejected),
                TEST(every_type_has_sshds_fingerprint),
                TEST(point_must_be_on_its_curve),
                TEST(missing_digest_is_a_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
