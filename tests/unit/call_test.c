/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct call call;

static int setup(void **state) {
        (void)state;
        call = (struct call)CALL_INIT;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        call_clear(&call);
        return 0;
}

static bool parse(const char *message) {
        call_clear(&call);
        return call_parse(message, strlen(message), &call);
}

static void assert_refused(const char *message) {
        if (parse(message))
                fail_msg("accepted: %s", message);
        assert_null(call.message);
        assert_null(call.method);
        assert_null(call.parameters);
        assert_false(call.more);
        assert_false(call.oneway);
}

static void call_is_parsed(void **state) {
        (void)state;
        assert_true(parse("{\"method\":\"a.b.C\",\"parameters\":{\"x\":1}}"));
        assert_string_equal(call.method, "a.b.C");
        assert_int_equal(json_object_size(call.parameters), 1);
        assert_int_equal(json_integer_value(json_object_get(call.parameters, "x")), 1);
        assert_false(call.more);
        assert_false(call.oneway);
}

static void missing_parameters_are_an_empty_object(void **state) {
        static const char *const messages[] = {
                "{\"method\":\"M\"}",
                "{\"method\":\"M\",\"parameters\":null}",
                "{\"parameters\":{},\"method\":\"M\"}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
                assert_true(parse(messages[i]));
                assert_true(json_is_object(call.parameters));
                assert_int_equal(json_object_size(call.parameters), 0);
        }
}

static void more_and_oneway_exclude_each_other(void **state) {
        (void)state;
        assert_true(parse("{\"method\":\"M\",\"more\":true}"));
        assert_true(call.more);
        assert_false(call.oneway);
        assert_true(parse("{\"method\":\"M\",\"oneway\":true,\"more\":false}"));
        assert_false(call.more);
        assert_true(call.oneway);
        assert_true(parse("{\"method\":\"M\",\"oneway\":false,\"more\":false}"));
        assert_false(call.more);
        assert_false(call.oneway);
        assert_refused("{\"method\":\"M\",\"more\":true,\"oneway\":true}");
}

static void method_is_required(void **state) {
        (void)state;
        assert_refused("{}");
        assert_refused("{\"parameters\":{}}");
        assert_refused("{\"method\":\"\"}");
        assert_refused("{\"method\":null}");
}

static void wrong_type_is_refused(void **state) {
        static const char *const messages[] = {
                "{\"method\":1}",
                "{\"method\":[\"M\"]}",
                "{\"method\":{\"M\":1}}",
                "{\"method\":true}",
                "{\"method\":\"M\",\"parameters\":[]}",
                "{\"method\":\"M\",\"parameters\":\"{}\"}",
                "{\"method\":\"M\",\"parameters\":0}",
                "{\"method\":\"M\",\"parameters\":false}",
                "{\"method\":\"M\",\"more\":1}",
                "{\"method\":\"M\",\"more\":null}",
                "{\"method\":\"M\",\"more\":\"true\"}",
                "{\"method\":\"M\",\"oneway\":0}",
                "{\"method\":\"M\",\"oneway\":null}",
                "{\"method\":\"M\",\"oneway\":[true]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
                assert_refused(messages[i]);
}

static void unknown_member_is_named(void **state) {
        static const char *const messages[][2] = {
                {"{\"method\":\"M\",\"upgrade\":true}", "upgrade"},
                {"{\"method\":\"M\",\"error\":\"E\"}", "error"},
                {"{\"continues\":false,\"method\":\"M\"}", "continues"},
                {"{\"method\":\"M\",\"Method\":\"M\"}", "Method"},
                {"{\"method\":\"M\",\"\":null}", ""},
                {"{\"method\":\"M\",\"upgrade\":true,\"x\":1}", "upgrade"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
                assert_true(parse(messages[i][0]));
                assert_string_equal(call.method, "M");
                assert_string_equal(call.unknown, messages[i][1]);
        }
        assert_true(parse("{\"method\":\"M\",\"upgrade\":false}"));
        assert_null(call.unknown);
        assert_refused("{\"method\":\"M\",\"upgrade\":1}");
        assert_refused("{\"error\":\"E\"}");
}

static void call_must_be_an_object(void **state) {
        (void)state;
        assert_refused("");
        assert_refused("[]");
        assert_refused("[{\"method\":\"M\"}]");
        assert_refused("\"method\"");
        assert_refused("{\"method\":\"M\"");
        assert_refused("{\"method\":\"M\"}{\"method\":\"M\"}");
        assert_refused("{\"method\":\"M\",\"method\":\"N\"}");
        assert_refused("{\"method\":\"M\\u0000\"}");
}

/* An envelope takes five levels, and an unknown member of it may take as many. */
static void nesting_has_a_limit(void **state) {
        (void)state;
        assert_true(parse("{\"method\":\"M\",\"parameters\":{\"envelope\":{\"signatures\":[{\"x\":[[[[[]]]]]}]}}}"));
        assert_refused("{\"method\":\"M\",\"parameters\":{\"envelope\":{\"signatures\":[{\"x\":[[[[[[]]]]]]}]}}}");
}

static void clearing_twice_is_harmless(void **state) {
        (void)state;
        assert_true(parse("{\"method\":\"M\",\"parameters\":{}}"));
        call_clear(&call);
        assert_null(call.message);
        assert_null(call.method);
        assert_null(call.parameters);
        call_clear(&call);
        assert_null(call.message);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(call_is_parsed, setup, teardown),
                cmocka_unit_test_setup_teardown(missing_parameters_are_an_empty_object, setup, teardown),
                cmocka_unit_test_setup_teardown(more_and_oneway_exclude_each_other, setup, teardown),
                cmocka_unit_test_setup_teardown(method_is_required, setup, teardown),
                cmocka_unit_test_setup_teardown(wrong_type_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(unknown_member_is_named, setup, teardown),
                cmocka_unit_test_setup_teardown(call_must_be_an_object, setup, teardown),
                cmocka_unit_test_setup_teardown(nesting_has_a_limit, setup, teardown),
                cmocka_unit_test_setup_teardown(clearing_twice_is_harmless, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
