/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PUBLIC_URL "https://compute.example.org"

static struct head head;
static struct head_body body;

static void add(const char *name, const char *value) {
        head_add(&head, name, strlen(name), value, strlen(value));
}

/* Names and values, up to NULL. */
static struct head_fault check(const char *name, ...) {
        va_list arguments;

        head = (struct head){.malformed = NULL};
        va_start(arguments, name);
        for (; name; name = va_arg(arguments, const char *))
                add(name, va_arg(arguments, const char *));
        va_end(arguments);
        return head_check(&head, PUBLIC_URL, &body);
}

static void assert_refused(struct head_fault fault, enum api_error error, bool closes) {
        assert_int_equal(fault.error, error);
        assert_non_null(fault.message);
        assert_int_equal(fault.close, closes);
}

static void usual_requests_pass(void **state) {
        (void)state;
        assert_int_equal(check("Host", "x", NULL).error, API_ERROR_NONE);
        assert_false(body.chunked);
        assert_int_equal(body.length, 0);
        assert_int_equal(check("host", "x", "CONTENT-LENGTH", "65536", "Content-Type", "text/plain", NULL).error,
                         API_ERROR_NONE);
        assert_int_equal(body.length, 65536);
        assert_int_equal(check("Transfer-Encoding", "Chunked", "Content-Encoding", "identity", NULL).error,
                         API_ERROR_NONE);
        assert_true(body.chunked);
        assert_int_equal(check("Upgrade", "WebSocket", "Connection", "Upgrade", NULL).error, API_ERROR_NONE);
        assert_int_equal(check("Accept", "a", "Accept", "b", NULL).error, API_ERROR_NONE);
}

static void ambiguous_framing_is_refused_and_closes(void **state) {
        (void)state;
        assert_refused(check("Content-Length", "1", "Transfer-Encoding", "chunked", NULL), API_ERROR_INVALID_REQUEST,
                       true);
        assert_refused(check("Content-Length", "1", "Content-Length", "1", NULL), API_ERROR_INVALID_REQUEST, true);
        assert_refused(check("Transfer-Encoding", "chunked", "transfer-encoding", "chunked", NULL),
                       API_ERROR_INVALID_REQUEST, true);
        static const char *const encodings[] = {"",         "gzip, chunked", "chunked, identity", "xchunked",
                                                "identity", "chunked ",      "\vchunked"};
        for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
                assert_refused(check("Transfer-Encoding", encodings[i], NULL), API_ERROR_INVALID_REQUEST, true);
        static const char *const lengths[] = {"", "-1", "+1", "1 ", "0x10", "1,1", "1e3", "1111111111111111111"};
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
                assert_refused(check("Content-Length", lengths[i], NULL), API_ERROR_INVALID_REQUEST, true);
}

static void malformed_fields_are_refused_and_close(void **state) {
        static const char *const names[] = {
                "Content-Length ", "Content-Length\t", "", "a(b", "a\"b", "\xc3\xa9", "a:b"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_refused(check(names[i], "1", NULL), API_ERROR_INVALID_REQUEST, true);
        assert_refused(check("X", "a\rb", NULL), API_ERROR_INVALID_REQUEST, true);
        assert_refused(check("X", "a\x7f", NULL), API_ERROR_INVALID_REQUEST, true);
        assert_int_equal(check("X", "a\tb\xc3\xa9", NULL).error, API_ERROR_NONE);
        head = (struct head){.malformed = NULL};
        head_add(&head, "X", 1, "a\0b", 3);
        assert_refused(head_check(&head, PUBLIC_URL, &body), API_ERROR_INVALID_REQUEST, true);
        static const char *const once[] = {"Host", "Authorization", "Origin", "If-Match", "If-None-Match", "Upgrade"};
        for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
                assert_refused(check(once[i], "a", once[i], "a", NULL), API_ERROR_INVALID_REQUEST, true);
}

static void large_and_encoded_bodies_are_refused(void **state) {
        (void)state;
        assert_refused(check("Content-Length", "65537", NULL), API_ERROR_CONTENT_TOO_LARGE, true);
        assert_refused(check("Content-Length", "999999999999999999", NULL), API_ERROR_CONTENT_TOO_LARGE, true);
        assert_refused(check("Content-Encoding", "gzip", NULL), API_ERROR_UNSUPPORTED_MEDIA_TYPE, true);
        assert_refused(check("Content-Encoding", "", NULL), API_ERROR_UNSUPPORTED_MEDIA_TYPE, true);
}

static void upgrades_but_websocket_are_refused(void **state) {
        (void)state;
        assert_refused(check("Upgrade", "h2c", NULL), API_ERROR_INVALID_REQUEST, true);
        assert_refused(check("Upgrade", "websocket, h2c", NULL), API_ERROR_INVALID_REQUEST, true);
}

static void origin_is_the_public_url_and_never_the_host(void **state) {
        (void)state;
        assert_int_equal(check("Origin", PUBLIC_URL, NULL).error, API_ERROR_NONE);
        assert_refused(check("Host", "evil.example", "Origin", "https://evil.example", NULL), API_ERROR_ACCESS_DENIED,
                       false);
        assert_refused(check("Origin", "null", NULL), API_ERROR_ACCESS_DENIED, false);
        assert_refused(check("Origin", PUBLIC_URL ".evil.example", NULL), API_ERROR_ACCESS_DENIED, false);
        assert_refused(check("Origin", PUBLIC_URL ":443", NULL), API_ERROR_ACCESS_DENIED, false);
        head = (struct head){.malformed = NULL};
        add("Origin", "");
        assert_refused(head_check(&head, "", &body), API_ERROR_ACCESS_DENIED, false);
}

static void last_forwarded_field_is_kept(void **state) {
        (void)state;
        (void)check("X-Forwarded-For", "1.1.1.1", "x-forwarded-for", "2.2.2.2, 3.3.3.3", NULL);
        assert_string_equal(head.forwarded, "2.2.2.2, 3.3.3.3");
}

static struct head_fault match(const char *name, const char *value, enum request_match *ret, int64_t *ret_version) {
        head = (struct head){.malformed = NULL};
        if (name)
                add(name, value);
        return head_match(&head, ret, ret_version);
}

static void preconditions_are_read(void **state) {
        enum request_match found;
        int64_t version = 0;

        (void)state;
        assert_int_equal(match(NULL, NULL, &found, &version).error, API_ERROR_NONE);
        assert_int_equal(found, MATCH_NONE);
        assert_int_equal(match("If-Match", "*", &found, &version).error, API_ERROR_NONE);
        assert_int_equal(found, MATCH_ANY);
        assert_int_equal(match("If-Match", "\"17\"", &found, &version).error, API_ERROR_NONE);
        assert_int_equal(found, MATCH_VERSION);
        assert_int_equal(version, 17);
        assert_int_equal(match("If-None-Match", "*", &found, &version).error, API_ERROR_NONE);
        assert_int_equal(found, MATCH_ABSENT);
        static const char *const wrong[] = {
                "",     "17", "\"\"", "\"0\"", "\"-1\"", "W/\"17\"", "\"1\", \"2\"", "\"1", "\"1111111111111111111\"",
                "\"a\""};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(match("If-Match", wrong[i], &found, &version).error, API_ERROR_INVALID_REQUEST);
        assert_int_equal(match("If-None-Match", "\"17\"", &found, &version).error, API_ERROR_INVALID_REQUEST);
        (void)check("If-Match", "*", "If-None-Match", "*", NULL);
        assert_int_equal(head_match(&head, &found, &version).error, API_ERROR_INVALID_REQUEST);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(usual_requests_pass),
                cmocka_unit_test(ambiguous_framing_is_refused_and_closes),
                cmocka_unit_test(malformed_fields_are_refused_and_close),
                cmocka_unit_test(large_and_encoded_bodies_are_refused),
                cmocka_unit_test(upgrades_but_websocket_are_refused),
                cmocka_unit_test(origin_is_the_public_url_and_never_the_host),
                cmocka_unit_test(last_forwarded_field_is_kept),
                cmocka_unit_test(preconditions_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
