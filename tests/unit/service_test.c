/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What org.varlink.service answers. The functions that send are this test's own and keep what would be sent. The build
 * defines TOP_SRCDIR, the absolute path of the sources.
 */
#include "agent/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct connection connection;
static char error[128];
static json_t *answered;

void connection_reply(struct connection *to, json_t *parameters) {
        connection_error(to, "", parameters);
}

void connection_error(struct connection *to, const char *name, json_t *parameters) {
        assert_ptr_equal(to, &connection);
        assert_null(answered);
        assert_non_null(parameters);
        (void)snprintf(error, sizeof(error), "%s", name);
        answered = parameters;
}

static int teardown(void **state) {
        (void)state;
        json_decref(answered);
        answered = NULL;
        call_clear(&connection.call);
        return 0;
}

static void called(const char *message) {
        json_decref(answered);
        answered = NULL;
        call_clear(&connection.call);
        assert_true(call_parse(message, strlen(message), &connection.call));
}

static const char *member(const char *name) {
        const char *value = json_string_value(json_object_get(answered, name));

        assert_non_null(value);
        return value;
}

static void get_info_says_what_this_is_and_speaks(void **state) {
        const json_t *interfaces;

        (void)state;
        called("{\"method\":\"org.varlink.service.GetInfo\"}");
        service_get_info(&connection);
        assert_string_equal(error, "");
        assert_int_equal(json_object_size(answered), 5);
        assert_string_equal(member("product"), "exc-instance-connect");
        assert_string_equal(member("version"), PACKAGE_VERSION);
        assert_string_equal(member("url"), PACKAGE_URL);
        assert_true(strlen(member("vendor")) > 0);
        interfaces = json_object_get(answered, "interfaces");
        assert_int_equal(json_array_size(interfaces), 2);
        assert_string_equal(json_string_value(json_array_get(interfaces, 0)), VARLINK_INTERFACE);
        assert_string_equal(json_string_value(json_array_get(interfaces, 1)), "org.varlink.service");
}

static void the_description_is_the_interfaces_file_byte_for_byte(void **state) {
        FILE *file = fopen(TOP_SRCDIR "/interface/" VARLINK_INTERFACE ".varlink", "re");
        char text[32 * 1024];
        size_t n;

        (void)state;
        assert_non_null(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
        text[n] = '\0';
        called("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
               "\"parameters\":{\"interface\":\"" VARLINK_INTERFACE "\"}}");
        service_get_interface_description(&connection);
        assert_string_equal(error, "");
        assert_string_equal(member("description"), text);
}

static void the_service_describes_itself(void **state) {
        (void)state;
        called("{\"method\":\"M\",\"parameters\":{\"interface\":\"org.varlink.service\"}}");
        service_get_interface_description(&connection);
        assert_string_equal(error, "");
        assert_non_null(strstr(member("description"), "\ninterface org.varlink.service\n"));
        assert_non_null(strstr(member("description"), "\nmethod GetInterfaceDescription("));
}

static void an_interface_that_is_not_known_is_not_found(void **state) {
        static const char *const names[] = {"", "org.varlink", VARLINK_INTERFACE ".Push", "ORG.VARLINK.SERVICE"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char message[256];

                (void)snprintf(message, sizeof(message), "{\"method\":\"M\",\"parameters\":{\"interface\":\"%s\"}}",
                               names[i]);
                called(message);
                service_get_interface_description(&connection);
                assert_string_equal(error, "org.varlink.service.InterfaceNotFound");
                assert_string_equal(member("interface"), names[i]);
        }
}

static void an_interface_that_is_no_text_is_an_invalid_parameter(void **state) {
        static const char *const messages[] = {
                "{\"method\":\"M\"}",
                "{\"method\":\"M\",\"parameters\":{\"interface\":null}}",
                "{\"method\":\"M\",\"parameters\":{\"interface\":[\"org.varlink.service\"]}}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
                called(messages[i]);
                service_get_interface_description(&connection);
                assert_string_equal(error, "org.varlink.service.InvalidParameter");
                assert_string_equal(member("parameter"), "interface");
        }
}

static void a_method_that_is_not_known_is_named_in_the_answer(void **state) {
        (void)state;
        called("{\"method\":\"org.varlink.service.Nothing\"}");
        service_method_not_found(&connection);
        assert_string_equal(error, "org.varlink.service.MethodNotFound");
        assert_string_equal(member("method"), "org.varlink.service.Nothing");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(get_info_says_what_this_is_and_speaks, teardown),
                cmocka_unit_test_teardown(the_description_is_the_interfaces_file_byte_for_byte, teardown),
                cmocka_unit_test_teardown(the_service_describes_itself, teardown),
                cmocka_unit_test_teardown(an_interface_that_is_not_known_is_not_found, teardown),
                cmocka_unit_test_teardown(an_interface_that_is_no_text_is_an_invalid_parameter, teardown),
                cmocka_unit_test_teardown(a_method_that_is_not_known_is_named_in_the_answer, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
