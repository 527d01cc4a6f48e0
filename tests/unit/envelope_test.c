/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/envelope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"
#include "wire/json.h"

/* Linked with --wrap=malloc. */
static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
        return no_memory ? NULL : __real_malloc(size);
}

static struct envelope envelope;
static struct refused refused;

static enum refusal take(const char *text) {
        json_t *object = json_read(text, strlen(text), 4);
        enum refusal r;

        if (!object)
                fail_msg("no JSON: %s", text);
        refused = (struct refused){.why = REFUSAL_NONE};
        r = envelope_from_json(object, &envelope, &refused);
        json_decref(object);
        assert_int_equal(refused.why, r);
        return r;
}

static void assert_invalid(const char *text, const char *field) {
        if (take(text) != REFUSAL_INVALID_PAYLOAD)
                fail_msg("taken: %s", text);
        assert_string_equal(refused.field, field);
        assert_true(strlen(refused.message) > 0);
}

static void assert_pae(const char *text) {
        assert_int_equal(envelope.pae_length, strlen(text));
        assert_memory_equal(envelope.pae, text, strlen(text));
}

/* The example of the DSSE specification (protocol.md, "Test Vectors"). */
static void signed_bytes_are_those_of_dsse_v1(void **state) {
        (void)state;
        assert_int_equal(envelope_make("http://example.com/HelloWorld", "hello world", 11, &envelope), 0);
        assert_pae("DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_int_equal(take("{\"payloadType\":\"http://example.com/HelloWorld\",\"payload\":\"aGVsbG8gd29ybGQ=\","
                              "\"signatures\":[]}"),
                         REFUSAL_NONE);
        assert_pae("DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_int_equal(envelope.pae_length - envelope.payload_offset, 11);
        assert_memory_equal(envelope.pae + envelope.payload_offset, "hello world", 11);
        assert_string_equal(envelope.type, "http://example.com/HelloWorld");
        assert_int_equal(envelope.n_signatures, 0);
}

static void lengths_count_bytes_and_not_characters(void **state) {
        (void)state;
        assert_int_equal(take("{\"payloadType\":\"t\xc3\xa4\",\"payload\":\"w6Q=\",\"signatures\":[]}"), REFUSAL_NONE);
        assert_pae("DSSEv1 3 t\xc3\xa4 2 \xc3\xa4");
}

static void payload_may_be_empty(void **state) {
        (void)state;
        assert_int_equal(take("{\"payloadType\":\"\",\"payload\":\"\",\"signatures\":[]}"), REFUSAL_NONE);
        assert_pae("DSSEv1 0  0 ");
        assert_int_equal(envelope.payload_offset, envelope.pae_length);
}

static void payload_bytes_are_kept_exactly(void **state) {
        (void)state;
        assert_int_equal(take("{\"payloadType\":\"t\",\"payload\":\"AAH/AA==\",\"signatures\":[]}"), REFUSAL_NONE);
        assert_int_equal(envelope.pae_length - envelope.payload_offset, 4);
        assert_memory_equal(envelope.pae + envelope.payload_offset, "\0\1\377\0", 4);
        assert_memory_equal(envelope.pae, "DSSEv1 1 t 4 ", envelope.payload_offset);
}

static void every_padding_is_accepted(void **state) {
        static const char *const payloads[] = {"YQ==", "YWI=", "YWJj", "YWJjZA=="};

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                char text[128];

                (void)snprintf(text, sizeof(text), "{\"payloadType\":\"t\",\"payload\":\"%s\",\"signatures\":[]}",
                               payloads[i]);
                assert_int_equal(take(text), REFUSAL_NONE);
                assert_int_equal(envelope.pae_length - envelope.payload_offset, i + 1);
                assert_memory_equal(envelope.pae + envelope.payload_offset, "abcd", i + 1);
        }
}

static void noncanonical_payload_is_refused(void **state) {
        static const char *const payloads[] = {
                "\"YQ\"",    "\"YQ=\"",  "\"YR==\"",     "\"YWJ=\"",      "\"YQ==\\n\"", "\" YQ==\"",
                "\"Y Q==\"", "\"Y+-_\"", "\"=\"",        "\"==\"",        "\"====\"",    "\"Y===\"",
                "\"=YQ=\"",  "\"YQ=A\"", "\"YQ==YQ==\"", "\"YQ==YWJj\"",  "\"YWJjYQ\"",  "\"\xc3\xa4YQ\"",
                "null",      "1",        "[]",           "{\"a\":\"b\"}", "true",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
                char text[128];

                (void)snprintf(text, sizeof(text), "{\"payloadType\":\"t\",\"payload\":%s,\"signatures\":[]}",
                               payloads[i]);
                assert_invalid(text, "envelope.payload");
        }
}

/* RFC 4648 section 5; a text has one alphabet. */
static void url_safe_alphabet_is_accepted(void **state) {
        (void)state;
        assert_int_equal(take("{\"payloadType\":\"t\",\"payload\":\"--__AA==\",\"signatures\":[{\"sig\":\"_-8=\"},"
                              "{\"sig\":\"/+8=\"}]}"),
                         REFUSAL_NONE);
        assert_int_equal(envelope.pae_length - envelope.payload_offset, 4);
        assert_memory_equal(envelope.pae + envelope.payload_offset, "\373\357\377\0", 4);
        assert_memory_equal(envelope.signatures[0].bytes, "\377\357", 2);
        assert_memory_equal(envelope.signatures[1].bytes, "\377\357", 2);
        assert_invalid("{\"payloadType\":\"t\",\"payload\":\"--__AA\",\"signatures\":[]}", "envelope.payload");
        assert_invalid("{\"payloadType\":\"t\",\"payload\":\"-_+/\",\"signatures\":[]}", "envelope.payload");
        assert_invalid("{\"payloadType\":\"t\",\"payload\":\"\",\"signatures\":[{\"sig\":\"-/8=\"}]}",
                       "envelope.signatures");
}

static void unknown_members_are_ignored(void **state) {
        (void)state;
        assert_invalid("[]", "envelope");
        assert_invalid("{}", "envelope.payloadType");
        assert_invalid("{\"payload\":\"\",\"signatures\":[]}", "envelope.payloadType");
        assert_invalid("{\"payloadType\":\"t\",\"signatures\":[]}", "envelope.payload");
        assert_invalid("{\"payloadType\":\"t\",\"payload\":\"\"}", "envelope.signatures");
        assert_invalid("{\"payloadtype\":\"t\",\"payload\":\"\",\"signatures\":[]}", "envelope.payloadType");
        assert_invalid("{\"payloadType\":\"t\",\"Payload\":\"\",\"signatures\":[]}", "envelope.payload");
        assert_invalid("{\"payloadType\":\"t\",\"payload\":\"\",\"signature\":[]}", "envelope.signatures");
        assert_int_equal(take("{\"payloadType\":\"t\",\"payload\":\"YQ==\",\"signatures\":[],\"x\":[{}]}"),
                         REFUSAL_NONE);
        assert_pae("DSSEv1 1 t 1 a");
        assert_int_equal(envelope_from_json(NULL, &envelope, &refused), REFUSAL_INVALID_PAYLOAD);
        assert_string_equal(refused.field, "envelope");
}

static void invalid_payload_type_is_refused(void **state) {
        char text[512], type[ENVELOPE_TYPE_MAX + 1];

        (void)state;
        assert_invalid("{\"payloadType\":null,\"payload\":\"\",\"signatures\":[]}", "envelope.payloadType");
        assert_invalid("{\"payloadType\":1,\"payload\":\"\",\"signatures\":[]}", "envelope.payloadType");
        memset(type, 'x', sizeof(type));
        type[ENVELOPE_TYPE_MAX] = '\0';
        (void)snprintf(text, sizeof(text), "{\"payloadType\":\"%s\",\"payload\":\"\",\"signatures\":[]}", type);
        assert_invalid(text, "envelope.payloadType");
        assert_int_equal(envelope_make(type, "", 0, &envelope), -E2BIG);
        type[ENVELOPE_TYPE_MAX - 1] = '\0';
        (void)snprintf(text, sizeof(text), "{\"payloadType\":\"%s\",\"payload\":\"\",\"signatures\":[]}", type);
        assert_int_equal(take(text), REFUSAL_NONE);
        assert_string_equal(envelope.type, type);
        assert_int_equal(envelope_make(type, "", 0, &envelope), 0);
}

static void keyid_is_kept_as_a_hint(void **state) {
        json_t *object;
        char *text;

        (void)state;
        assert_int_equal(
                take("{\"payloadType\":\"t\",\"payload\":\"\",\"signatures\":[{\"sig\":\"AQID\"},"
                     "{\"keyid\":\"k\",\"sig\":\"/w==\"},{\"sig\":\"\",\"keyid\":null,\"alg\":\"none\",\"x\":{}}]}"),
                REFUSAL_NONE);
        assert_int_equal(envelope.n_signatures, 3);
        assert_int_equal(envelope.signatures[0].length, 3);
        assert_memory_equal(envelope.signatures[0].bytes, "\1\2\3", 3);
        assert_int_equal(envelope.signatures[1].length, 1);
        assert_memory_equal(envelope.signatures[1].bytes, "\377", 1);
        assert_int_equal(envelope.signatures[2].length, 0);
        assert_string_equal(envelope.signatures[0].keyid, "");
        assert_string_equal(envelope.signatures[1].keyid, "k");
        assert_string_equal(envelope.signatures[2].keyid, "");
        object = envelope_to_json(&envelope);
        text = json_dumps(json_object_get(object, "signatures"), JSON_COMPACT);
        assert_string_equal(text, "[{\"sig\":\"AQID\"},{\"sig\":\"/w==\",\"keyid\":\"k\"},{\"sig\":\"\"}]");
        free(text);
        json_decref(object);
}

static void overlong_keyid_is_none(void **state) {
        (void)state;
        for (size_t n = ENVELOPE_KEYID_MAX - 1; n <= ENVELOPE_KEYID_MAX; n++) {
                char text[256], keyid[ENVELOPE_KEYID_MAX + 1] = "";

                memset(keyid, 'k', n);
                (void)snprintf(
                        text, sizeof(text),
                        "{\"payloadType\":\"t\",\"payload\":\"\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"\"}]}",
                        keyid);
                assert_int_equal(take(text), REFUSAL_NONE);
                assert_int_equal(strlen(envelope.signatures[0].keyid), n < ENVELOPE_KEYID_MAX ? n : 0);
        }
}

static void invalid_signature_object_is_refused(void **state) {
        static const char *const signatures[] = {
                "null",
                "{}",
                "\"AQID\"",
                "[null]",
                "[\"AQID\"]",
                "[[]]",
                "[{}]",
                "[{\"keyid\":\"k\"}]",
                "[{\"sig\":null}]",
                "[{\"sig\":1}]",
                "[{\"sig\":\"AQI\"}]",
                "[{\"sig\":\"AQJ=\"}]",
                "[{\"sig\":\"AQID\",\"keyid\":1}]",
                "[{\"sig\":\"AQID\",\"keyid\":[]}]",
                "[{\"sig\":\"AQID\"},{\"Sig\":\"AQID\"}]",
                "[{\"sig\":\"AQID\"},7]",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
                char text[160];

                (void)snprintf(text, sizeof(text), "{\"payloadType\":\"t\",\"payload\":\"\",\"signatures\":%s}",
                               signatures[i]);
                assert_invalid(text, "envelope.signatures");
        }
}

enum { LONG_SIGNATURE = 3309 }; /* ML-DSA-65 (FIPS 204) */

static json_t *with_signatures(size_t n, size_t length) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++) {
                char text[BASE64_LENGTH(LONG_SIGNATURE) + 1];
                uint8_t raw[LONG_SIGNATURE] = {(uint8_t)i};

                base64_encode(raw, length, text);
                (void)json_array_append_new(list, json_pack("{ss}", "sig", text));
        }
        return json_pack("{ss ss so}", "payloadType", "t", "payload", "", "signatures", list);
}

static enum refusal take_object(json_t *object) {
        enum refusal r = envelope_from_json(object, &envelope, &refused);

        json_decref(object);
        return r;
}

static void at_most_eight_signatures(void **state) {
        (void)state;
        assert_int_equal(take_object(with_signatures(8, 64)), REFUSAL_NONE);
        assert_int_equal(envelope.n_signatures, 8);
        assert_int_equal(envelope.signatures[7].bytes[0], 7);
        assert_int_equal(take_object(with_signatures(9, 64)), REFUSAL_INVALID_PAYLOAD);
        assert_string_equal(refused.field, "envelope.signatures");
}

static void overlong_signature_verifies_with_no_key(void **state) {
        static const size_t lengths[] = {ENVELOPE_SIGNATURE_MAX + 1, ENVELOPE_SIGNATURE_MAX + 2, LONG_SIGNATURE};

        (void)state;
        assert_int_equal(take_object(with_signatures(1, ENVELOPE_SIGNATURE_MAX)), REFUSAL_NONE);
        assert_int_equal(envelope.signatures[0].length, ENVELOPE_SIGNATURE_MAX);
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
                assert_int_equal(take_object(with_signatures(2, lengths[i])), REFUSAL_NONE);
                assert_int_equal(envelope.n_signatures, 2);
                assert_int_equal(envelope.signatures[0].length, 0);
        }
}

static void payload_has_a_limit(void **state) {
        static const char head[] = "DSSEv1 1 t 16366 ";
        const size_t longest = ENVELOPE_PAE_MAX - strlen(head);
        uint8_t *raw = calloc(1, longest + 1);
        char *text = malloc(BASE64_LENGTH(longest + 1) + 1);

        (void)state;
        assert_non_null(raw);
        assert_non_null(text);
        for (size_t more = 0; more < 2; more++) {
                enum refusal r;

                base64_encode(raw, longest + more, text);
                r = take_object(json_pack("{ss ss s[]}", "payloadType", "t", "payload", text, "signatures"));
                assert_int_equal(r, more ? REFUSAL_INVALID_PAYLOAD : REFUSAL_NONE);
                assert_int_equal(envelope_make("t", (const char *)raw, longest + more, &envelope), more ? -E2BIG : 0);
                if (!more)
                        assert_int_equal(envelope.pae_length, ENVELOPE_PAE_MAX);
        }
        assert_int_equal(envelope_make("t", (const char *)raw, SIZE_MAX, &envelope), -E2BIG);
        free(raw);
        free(text);
}

static void invalid_signature_is_not_added(void **state) {
        uint8_t raw[ENVELOPE_SIGNATURE_MAX + 1] = {1};

        (void)state;
        assert_int_equal(envelope_make("t", "p", 1, &envelope), 0);
        assert_int_equal(envelope_add_signature(&envelope, raw, sizeof(raw)), -E2BIG);
        assert_int_equal(envelope.n_signatures, 0);
        for (size_t i = 0; i < ENVELOPE_SIGNATURES_MAX; i++)
                assert_int_equal(envelope_add_signature(&envelope, raw, ENVELOPE_SIGNATURE_MAX), 0);
        assert_int_equal(envelope_add_signature(&envelope, raw, 1), -E2BIG);
        assert_int_equal(envelope.n_signatures, ENVELOPE_SIGNATURES_MAX);
}

static void envelope_round_trips(void **state) {
        struct envelope made;
        json_t *object;

        (void)state;
        assert_int_equal(envelope_make(PUSH_PAYLOAD_TYPE, "{\"a\":\"\xc3\xa4\"}", 10, &made), 0);
        assert_int_equal(envelope_add_signature(&made, (const uint8_t *)"\0\377sig", 5), 0);
        assert_int_equal(envelope_add_signature(&made, (const uint8_t *)"", 0), 0);
        object = envelope_to_json(&made);
        assert_non_null(object);
        assert_int_equal(take_object(object), REFUSAL_NONE);
        assert_string_equal(envelope.type, made.type);
        assert_int_equal(envelope.pae_length, made.pae_length);
        assert_int_equal(envelope.payload_offset, made.payload_offset);
        assert_memory_equal(envelope.pae, made.pae, made.pae_length);
        assert_int_equal(envelope.n_signatures, 2);
        assert_int_equal(envelope.signatures[0].length, 5);
        assert_memory_equal(envelope.signatures[0].bytes, "\0\377sig", 5);
        assert_int_equal(envelope.signatures[1].length, 0);
}

static size_t until_failure; /* the one allocation of jansson's that fails; 0: none */

static void *jansson_malloc(size_t size) {
        return until_failure > 0 && --until_failure == 0 ? NULL : __real_malloc(size);
}

static void without_memory_there_is_no_json(void **state) {
        size_t n = 0;
        bool failed;

        (void)state;
        assert_int_equal(envelope_make("t", "payload", 7, &envelope), 0);
        assert_int_equal(envelope_add_signature(&envelope, (const uint8_t *)"one", 3), 0);
        assert_int_equal(envelope_add_signature(&envelope, (const uint8_t *)"two", 3), 0);
        no_memory = true;
        assert_null(envelope_to_json(&envelope));
        no_memory = false;
        json_set_alloc_funcs(jansson_malloc, free);
        do {
                json_t *object;

                until_failure = ++n;
                object = envelope_to_json(&envelope);
                failed = until_failure == 0;
                until_failure = 0;
                assert_int_equal(failed, !object);
                assert_int_equal(json_array_size(json_object_get(object, "signatures")), failed ? 0 : 2);
                json_decref(object);
        } while (failed);
        assert_true(n > 5);
        json_set_alloc_funcs(malloc, free);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(signed_bytes_are_those_of_dsse_v1),
                cmocka_unit_test(lengths_count_bytes_and_not_characters),
                cmocka_unit_test(payload_may_be_empty),
                cmocka_unit_test(payload_bytes_are_kept_exactly),
                cmocka_unit_test(every_padding_is_accepted),
                cmocka_unit_test(noncanonical_payload_is_refused),
                cmocka_unit_test(url_safe_alphabet_is_accepted),
                cmocka_unit_test(unknown_members_are_ignored),
                cmocka_unit_test(invalid_payload_type_is_refused),
                cmocka_unit_test(overlong_keyid_is_none),
                cmocka_unit_test(keyid_is_kept_as_a_hint),
                cmocka_unit_test(invalid_signature_object_is_refused),
                cmocka_unit_test(at_most_eight_signatures),
                cmocka_unit_test(overlong_signature_verifies_with_no_key),
                cmocka_unit_test(payload_has_a_limit),
                cmocka_unit_test(invalid_signature_is_not_added),
                cmocka_unit_test(envelope_round_trips),
                cmocka_unit_test(without_memory_there_is_no_json),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
