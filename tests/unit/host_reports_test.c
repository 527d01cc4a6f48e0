/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/host_reports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct host_report reports[HOST_REPORT_MAX];

/* How many instances a reply reports; -1: it is not as the interface has it. */
static int parse(const char *text) {
        json_t *object = json_loads(text, 0, NULL);
        size_t n = 0;
        bool ok;

        if (!object)
                fail_msg("no JSON: %s", text);
        ok = host_reports_parse(object, reports, &n);
        json_decref(object);
        return ok ? (int)n : -1;
}

static void report_is_taken(void **state) {
        (void)state;
        assert_int_equal(parse("{\"instances\": []}"), 0);
        assert_int_equal(
                parse("{\"instances\": [{\"id\": \"42\", \"kind\": \"serial\", \"state\": \"reachable\","
                      " \"firstSeen\": 1700000000, \"new\": 1},"
                      " {\"id\": \"a.b\", \"kind\": \"vsock\", \"state\": \"unknown\", \"firstSeen\": null}]}"),
                2);
        assert_string_equal(reports[0].id, "42");
        assert_string_equal(reports[0].kind, "serial");
        assert_string_equal(reports[0].state, "reachable");
        assert_int_equal(reports[0].first_seen, 1700000000);
        assert_string_equal(reports[1].kind, "vsock");
        assert_int_equal(reports[1].first_seen, 0);
}

static void ids_that_the_register_cannot_have_are_left_out(void **state) {
        (void)state;
        assert_int_equal(parse("{\"instances\": [{\"id\": \"../42\", \"kind\": \"unix\", \"state\": \"unknown\"},"
                               " {\"id\": \"connect\", \"kind\": \"unix\", \"state\": \"unknown\"},"
                               " {\"id\": \"7\", \"kind\": \"hybrid\", \"state\": \"unreachable\"}]}"),
                         1);
        assert_string_equal(reports[0].id, "7");
}

static void what_the_interface_does_not_have_is_refused(void **state) {
        static const char *const wrong[] = {
                "{}",
                "{\"instances\": null}",
                "{\"instances\": {}}",
                "{\"instances\": [\"42\"]}",
                "{\"instances\": [{}]}",
                "{\"instances\": [{\"id\": 42, \"kind\": \"unix\", \"state\": \"unknown\"}]}",
                "{\"instances\": [{\"id\": \"42\", \"kind\": \"pipe\", \"state\": \"unknown\"}]}",
                "{\"instances\": [{\"id\": \"42\", \"kind\": \"unix\", \"state\": \"up\"}]}",
                "{\"instances\": [{\"id\": \"42\", \"kind\": \"unix\", \"state\": null}]}",
                "{\"instances\": [{\"id\": \"42\", \"kind\": \"unix\", \"state\": \"unknown\", \"firstSeen\": -1}]}",
                "{\"instances\": [{\"id\": \"42\", \"kind\": \"unix\", \"state\": \"unknown\", \"firstSeen\": 1.5}]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (parse(wrong[i]) != -1)
                        fail_msg("taken: %s", wrong[i]);
}

static void number_of_instances_is_bounded(void **state) {
        json_t *list = json_array(), *object = json_pack("{so}", "instances", list);
        size_t n = 0;

        (void)state;
        for (int i = 0; i <= HOST_REPORT_MAX; i++)
                assert_int_equal(json_array_append_new(
                                         list, json_pack("{ss ss ss}", "id", "42", "kind", "unix", "state", "unknown")),
                                 0);
        assert_false(host_reports_parse(object, reports, &n));
        assert_int_equal(json_array_remove(list, 0), 0);
        assert_true(host_reports_parse(object, reports, &n));
        assert_int_equal(n, HOST_REPORT_MAX);
        json_decref(object);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(report_is_taken),
                cmocka_unit_test(ids_that_the_register_cannot_have_are_left_out),
                cmocka_unit_test(what_the_interface_does_not_have_is_refused),
                cmocka_unit_test(number_of_instances_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
