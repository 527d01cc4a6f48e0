/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent says about itself. Linked with what tests/unit/agent_guest.h names; the build defines TOP_SRCDIR, the absolute
 * path of the sources.
 */
#include "tests/unit/signed_guest.h"

static json_t *reply;

static json_t *ask(const char *message) {
        json_decref(reply);
        reply = guest_ask(&guest, message);
        assert_non_null(reply);
        return json_object_get(reply, "parameters");
}

static int end(void **state) {
        json_decref(reply);
        reply = NULL;
        return teardown(state);
}

static void get_info_names_the_product_and_its_interfaces(void **state) {
        json_t *info = ask("{\"method\":\"org.varlink.service.GetInfo\"}"), *interfaces;

        (void)state;
        assert_int_equal(json_object_size(info), 5);
        assert_string_equal(text_of(reply, "product"), "exc-instance-connect");
        assert_string_equal(text_of(reply, "version"), PACKAGE_VERSION);
        assert_string_equal(text_of(reply, "url"), PACKAGE_URL);
        assert_true(strlen(text_of(reply, "vendor")) > 0);
        interfaces = json_object_get(info, "interfaces");
        assert_int_equal(json_array_size(interfaces), 2);
        assert_string_equal(json_string_value(json_array_get(interfaces, 0)), VARLINK_INTERFACE);
        assert_string_equal(json_string_value(json_array_get(interfaces, 1)), VARLINK_SERVICE);
}

static void description_is_the_interface_file(void **state) {
        FILE *file = fopen(TOP_SRCDIR "/interface/" VARLINK_INTERFACE ".varlink", "re");
        char text[32 * 1024];
        size_t n;

        (void)state;
        assert_non_null(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
        text[n] = '\0';
        (void)ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                  "\"parameters\":{\"interface\":\"" VARLINK_INTERFACE "\"}}");
        assert_string_equal(text_of(reply, "description"), text);
}

static void service_describes_itself(void **state) {
        (void)state;
        (void)ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                  "\"parameters\":{\"interface\":\"org.varlink.service\"}}");
        assert_non_null(strstr(text_of(reply, "description"), "\ninterface org.varlink.service\n"));
        assert_non_null(strstr(text_of(reply, "description"), "\nmethod GetInterfaceDescription("));
}

static void unknown_interface_is_not_found(void **state) {
        static const char *const names[] = {"", "org.varlink", VARLINK_INTERFACE ".Push", "ORG.VARLINK.SERVICE"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char message[256];

                (void)snprintf(message, sizeof(message),
                               "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                               "\"parameters\":{\"interface\":\"%s\"}}",
                               names[i]);
                (void)ask(message);
                assert_string_equal(error_of(reply), "InterfaceNotFound");
                assert_string_equal(text_of(reply, "interface"), names[i]);
        }
}

static void interface_must_be_a_text(void **state) {
        static const char *const parameters[] = {"{}", "{\"interface\":null}",
                                                 "{\"interface\":[\"org.varlink.service\"]}"};

        (void)state;
        for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
                char message[256];

                (void)snprintf(message, sizeof(message),
                               "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":%s}",
                               parameters[i]);
                (void)ask(message);
                assert_string_equal(error_of(reply), "InvalidParameter");
                assert_string_equal(text_of(reply, "parameter"), "interface");
        }
}

static void unknown_method_is_named(void **state) {
        (void)state;
        (void)ask("{\"method\":\"org.varlink.service.Nothing\"}");
        assert_string_equal(error_of(reply), "MethodNotFound");
        assert_string_equal(text_of(reply, "method"), "org.varlink.service.Nothing");
}

static void hello_returns_sync_unchanged(void **state) {
        (void)state;
        (void)ask("{\"method\":\"in.excloud.InstanceConnect.Hello\",\"parameters\":{\"sync\":\"\\u00e4 \\\"\"}}");
        assert_string_equal(text_of(reply, "sync"), "\xc3\xa4 \"");
        (void)ask("{\"method\":\"in.excloud.InstanceConnect.Hello\",\"parameters\":{\"sync\":\"\"}}");
        assert_string_equal(text_of(reply, "sync"), "");
        (void)ask("{\"method\":\"in.excloud.InstanceConnect.Hello\",\"parameters\":{\"sync\":null}}");
        assert_true(json_is_null(json_object_get(json_object_get(reply, "parameters"), "sync")));
        (void)ask("{\"method\":\"in.excloud.InstanceConnect.Hello\",\"parameters\":{\"sync\":1}}");
        assert_string_equal(text_of(reply, "parameter"), "sync");
}

static void status_counts_anchors_before_the_first_push(void **state) {
        (void)state;
        (void)ask("{\"method\":\"in.excloud.InstanceConnect.Status\"}");
        assert_int_equal(number_of(reply, "anchors"), 1);
        write_anchor("b.pem");
        (void)ask("{\"method\":\"in.excloud.InstanceConnect.Status\"}");
        assert_int_equal(number_of(reply, "anchors"), 2);
}

#define INFO_TEST(name) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                INFO_TEST(get_info_names_the_product_and_its_interfaces),
                INFO_TEST(description_is_the_interface_file),
                INFO_TEST(service_describes_itself),
                INFO_TEST(unknown_interface_is_not_found),
                INFO_TEST(interface_must_be_a_text),
                INFO_TEST(unknown_method_is_named),
                INFO_TEST(hello_returns_sync_unchanged),
                INFO_TEST(status_counts_anchors_before_the_first_push),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
