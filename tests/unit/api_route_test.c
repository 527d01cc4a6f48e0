/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/handlers.h"
#include "cloud/api/target.h"

static char allow[ROUTE_ALLOW_MAX];

static const struct route *find(enum request_method method, const char *path) {
        struct request_target target;
        const char *why;

        assert_true(target_parse(path, &target, &why));
        return route_find(&target, method, allow);
}

static void paths_lead_to_their_handlers(void **state) {
        const struct route *route;

        (void)state;
        route = find(METHOD_GET, "/compute/instance/42");
        assert_non_null(route);
        assert_ptr_equal(route->handle, instance_get);
        assert_ptr_equal(find(METHOD_PUT, "/compute/instance/42")->handle, instance_put);
        assert_ptr_equal(find(METHOD_GET, "/compute/instance")->handle, instance_list);
        assert_ptr_equal(find(METHOD_PUT, "/iam/account/a/policy/p")->handle, account_attach);
        assert_ptr_equal(find(METHOD_GET, "/healthz")->handle, health_get);
        assert_true((find(METHOD_GET, "/healthz")->flags & ROUTE_PUBLIC) != 0);
        assert_false((find(METHOD_GET, "/compute/instance")->flags & ROUTE_PUBLIC) != 0);
}

static void other_methods_are_told_which_there_are(void **state) {
        (void)state;
        assert_null(find(METHOD_POST, "/compute/instance/42"));
        assert_string_equal(allow, "GET, PUT, DELETE");
        assert_null(find(METHOD_OTHER, "/healthz"));
        assert_string_equal(allow, "GET");
        assert_null(find(METHOD_PUT, "/iam/token"));
        assert_string_equal(allow, "GET, POST");
}

static void there_are_no_other_paths(void **state) {
        static const char *const none[] = {"/",
                                           "/healthz/x",
                                           "/compute",
                                           "/iam",
                                           "/compute/instance/42/x",
                                           "/Healthz",
                                           "/compute/instance/42/accept-host-keys/x",
                                           "/iam/account/a/policy",
                                           "/%2a",
                                           "/compute/*/x"};

        (void)state;
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
                assert_null(find(METHOD_GET, none[i]));
                assert_string_equal(allow, "");
        }
}

static void query_parameters_belong_to_a_route(void **state) {
        const struct route *route;

        (void)state;
        route = find(METHOD_GET, "/compute/instance");
        assert_true(route_takes(route, "name"));
        assert_true(route_takes(route, "limit"));
        assert_true(route_takes(route, "cursor"));
        assert_false(route_takes(route, "curso"));
        assert_false(route_takes(route, "name limit"));
        assert_false(route_takes(route, ""));
        assert_false(route_takes(find(METHOD_GET, "/healthz"), "name"));
}

static void methods_have_names(void **state) {
        (void)state;
        for (enum request_method method = METHOD_GET; method < METHOD_OTHER; method++)
                assert_int_equal(route_method(route_method_name(method)), method);
        assert_int_equal(route_method("get"), METHOD_OTHER);
        assert_int_equal(route_method("HEAD"), METHOD_OTHER);
        assert_int_equal(route_method(""), METHOD_OTHER);
        assert_null(route_method_name(METHOD_OTHER));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(paths_lead_to_their_handlers),
                cmocka_unit_test(other_methods_are_told_which_there_are),
                cmocka_unit_test(there_are_no_other_paths),
                cmocka_unit_test(query_parameters_belong_to_a_route),
                cmocka_unit_test(methods_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
