/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies and answers of a request, without a server. */
#include "cloud/api/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/member.h"
#include "cloud/api/precondition.h"

struct all {
        char name[STORE_NAME_MAX], account[STORE_NAME_MAX], label[STORE_TEXT_MAX], user[STORE_TEXT_MAX];
        char v4[STORE_ADDRESS_MAX], v6[STORE_ADDRESS_MAX];
        json_t *object;
        int64_t number;
        bool flag;
};

static const struct json_dispatch_field fields[] = {
        {"name", member_name, offsetof(struct all, name), .expected = "a name"},
        {"account", member_account, offsetof(struct all, account), .expected = "an account"},
        {"label", member_label, offsetof(struct all, label), .expected = "a text"},
        {"user", member_user, offsetof(struct all, user), .expected = "a user"},
        {"v4", member_ipv4, offsetof(struct all, v4), .expected = "an IPv4 address"},
        {"v6", member_ipv6, offsetof(struct all, v6), .expected = "an IPv6 address"},
        {"object", member_object, offsetof(struct all, object), .expected = "an object"},
        {"number", json_dispatch_integer, offsetof(struct all, number), .min = 1, .max = 9, .expected = "1 to 9"},
        {"flag", json_dispatch_boolean, offsetof(struct all, flag), .expected = "a boolean"},
        {.name = NULL},
};

static const struct json_dispatch_field needed[] = {
        {"name", member_name, offsetof(struct all, name), .required = true, .expected = "a name"},
        {.name = NULL},
};

static struct request request;
static struct all all;

static void end_request(void) {
        json_decref(request.body);
        json_decref(request.answer);
        request = (struct request){.id = "0123456789abcdef0123456789abcdef"};
}

static bool takes(const char *body) {
        end_request();
        all = (struct all){.object = NULL};
        request.body = json_loads(body, 0, NULL);
        assert_non_null(request.body);
        return request_body(&request, fields, &all);
}

static const char *answer(const char *member) {
        const char *text = json_string_value(json_object_get(request.answer, member));

        return text ? text : "";
}

static void assert_refused(const char *body, const char *field) {
        if (takes(body))
                fail_msg("%s is taken", body);
        assert_int_equal(request.status, 400);
        assert_string_equal(answer("error"), "InvalidRequest");
        assert_string_equal(answer("field"), field);
        assert_string_equal(answer("request_id"), request.id);
        assert_true(strlen(answer("message")) > 0);
}

static void members_are_copied(void **state) {
        (void)state;
        assert_true(takes(
                "{\"name\": \"A.b_c-9\", \"account\": \"a@b.c\", \"label\": \"a b\\u00e9\", \"user\": \"a-\", \"v4\": "
                "\"192.0.2.1\", \"v6\": \"2001:DB8:0:0::1\", \"object\": {}, \"number\": 9, \"flag\": true}"));
        assert_string_equal(all.name, "A.b_c-9");
        assert_string_equal(all.account, "a@b.c");
        assert_string_equal(all.label, "a b\xc3\xa9");
        assert_string_equal(all.user, "a-");
        assert_string_equal(all.v4, "192.0.2.1");
        assert_string_equal(all.v6, "2001:db8::1");
        assert_ptr_equal(all.object, json_object_get(request.body, "object"));
        assert_int_equal(all.number, 9);
        assert_true(all.flag);
        assert_true(takes("{}"));
        end_request();
}

static void wrong_members_are_named(void **state) {
        (void)state;
        assert_refused("{\"x\": 1}", "x");
        static const char *const names[] = {
                "\"\"",        "\"-a\"",  "\".a\"",
                "\"a/b\"",     "\"a b\"", "\"a@b\"",
                "\"\\u00e9\"", "1",       "null",
                "[]",          "\"a*\"",  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""};
        char body[256];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)snprintf(body, sizeof(body), "{\"name\": %s}", names[i]);
                assert_refused(body, "name");
        }
        assert_refused("{\"label\": \"\"}", "label");
        assert_refused("{\"label\": \"a\\nb\"}", "label");
        assert_refused("{\"user\": \"-oProxyCommand=x\"}", "user");
        assert_refused("{\"user\": \"\"}", "user");
        assert_refused("{\"user\": \"a\\u0007\"}", "user");
        assert_refused("{\"user\": \"a\\u0085\"}", "user");
        assert_refused("{\"v4\": \"-oProxyCommand=x\"}", "v4");
        assert_refused("{\"v4\": \"example.org\"}", "v4");
        assert_refused("{\"v4\": \"::1\"}", "v4");
        assert_refused("{\"v4\": \"127.1\"}", "v4");
        assert_refused("{\"v6\": \"192.0.2.1\"}", "v6");
        assert_refused("{\"v6\": \"::ffff:192.0.2.1\"}", "v6");
        assert_refused("{\"v6\": \"fe80::1%eth0\"}", "v6");
        assert_refused("{\"object\": []}", "object");
        assert_refused("{\"number\": 0}", "number");
        assert_refused("{\"number\": 1.0}", "number");
        assert_refused("{\"number\": \"1\"}", "number");
        assert_refused("{\"flag\": 1}", "flag");
        end_request();
}

static void long_unknown_member_is_cut_and_printable(void **state) {
        char body[8192];

        (void)state;
        (void)strcpy(body, "{\"");
        for (size_t i = 0; i < 2000; i++)
                (void)strcat(body, "\xc3\xa9");
        (void)strcat(body, "\": 1}");
        assert_false(takes(body));
        assert_int_equal(request.status, 400);
        assert_true(strlen(answer("message")) < REQUEST_MESSAGE_MAX);
        assert_non_null(json_object_get(request.answer, "error"));
        end_request();
}

static void missing_body_has_no_members(void **state) {
        (void)state;
        end_request();
        assert_true(request_body(&request, fields, &all));
        assert_false(request_body(&request, needed, &all));
        assert_string_equal(answer("field"), "name");
        end_request();
}

static void later_answer_replaces_the_earlier(void **state) {
        (void)state;
        end_request();
        request_answer_secret(&request, 201, json_pack("{s:s}", "private_key", "x"));
        assert_true(request.secret);
        request.etag = 4;
        assert_false(request_refuse(&request, API_ERROR_AUDIT_UNAVAILABLE, "no %s", "disk"));
        assert_int_equal(request.status, 503);
        assert_string_equal(answer("error"), "AuditUnavailable");
        assert_string_equal(answer("message"), "no disk");
        assert_null(json_object_get(request.answer, "private_key"));
        assert_int_equal(request.etag, 0);
        request_answer(&request, 200, NULL);
        assert_int_equal(request.status, 500);
        end_request();
}

static void results_of_the_store_have_answers(void **state) {
        (void)state;
        end_request();
        assert_false(request_refuse_store(&request, STORE_NOT_FOUND, "x"));
        assert_int_equal(request.status, 404);
        assert_false(request_refuse_store(&request, STORE_CONFLICT, "x"));
        assert_int_equal(request.status, 409);
        assert_false(request_refuse_store(&request, STORE_PRECONDITION, "x"));
        assert_int_equal(request.status, 412);
        assert_false(request_refuse_store(&request, STORE_INVALID, "x"));
        assert_int_equal(request.status, 400);
        assert_false(request_refuse_store(&request, STORE_OK, "x"));
        assert_int_equal(request.status, 500);
        end_request();
}

static void preconditions_become_versions(void **state) {
        int64_t version = 7;

        (void)state;
        end_request();
        assert_true(precondition_expected(&request, 5, &version));
        assert_int_equal(version, 0);
        request.match = MATCH_ABSENT;
        assert_true(precondition_expected(&request, 5, &version));
        assert_int_equal(version, -1);
        request.match = MATCH_VERSION;
        request.match_version = 3;
        assert_false(precondition_needs_current(&request));
        assert_true(precondition_expected(&request, 5, &version));
        assert_int_equal(version, 3);
        request.match = MATCH_ANY;
        assert_true(precondition_needs_current(&request));
        assert_true(precondition_expected(&request, 5, &version));
        assert_int_equal(version, 5);
        assert_false(precondition_expected(&request, 0, &version));
        assert_int_equal(request.status, 412);
        end_request();
}

static void times_are_utc_and_whole_seconds(void **state) {
        json_t *time = request_time(1709640000);

        (void)state;
        assert_string_equal(json_string_value(time), "2024-03-05T12:00:00Z");
        json_decref(time);
        time = request_time(0);
        assert_string_equal(json_string_value(time), "1970-01-01T00:00:00Z");
        json_decref(time);
}

static void noted_texts_are_cut_between_characters(void **state) {
        char to[6];

        (void)state;
        request_note_text(to, sizeof(to), "abcdefgh");
        assert_string_equal(to, "abcde");
        request_note_text(to, sizeof(to), "abcd\xc3\xa9");
        assert_string_equal(to, "abcd");
        request_note_text(to, sizeof(to), "abc\xc3\xa9");
        assert_string_equal(to, "abc\xc3\xa9");
        request_note_text(to, sizeof(to), NULL);
        assert_string_equal(to, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(members_are_copied),
                cmocka_unit_test(wrong_members_are_named),
                cmocka_unit_test(long_unknown_member_is_cut_and_printable),
                cmocka_unit_test(missing_body_has_no_members),
                cmocka_unit_test(later_answer_replaces_the_earlier),
                cmocka_unit_test(results_of_the_store_have_answers),
                cmocka_unit_test(preconditions_become_versions),
                cmocka_unit_test(times_are_utc_and_whole_seconds),
                cmocka_unit_test(noted_texts_are_cut_between_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
