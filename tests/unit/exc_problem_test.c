/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/problem.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "exc/api_end.h"

static const struct config config = {.endpoint = "https://compute.example.org"};
static const struct problem_about about = {.vm = "42", .user = "alice"};
static struct problem problem;

static void of(enum api_end end, long status, const char *message) {
        struct api_answer answer = {.end = end, .status = status};

        (void)snprintf(answer.message, sizeof(answer.message), "%s", message);
        problem_of_answer(&answer, &config, &about, &problem);
}

static void every_end_has_text_status_and_step(void **state) {
        static const enum api_end ends[] = {API_FOREIGN, API_NO_NAME,   API_NO_PROXY, API_NO_CONNECTION,
                                            API_TLS,     API_TIMED_OUT, API_CUT,      API_TOO_LARGE};

        (void)state;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                of(ends[i], 0, "a reason");
                assert_int_equal(problem.status, EXIT_NOT_REACHED);
                assert_non_null(strstr(problem.text, config.endpoint));
                assert_true(*problem.step);
        }
        of(API_OWN_FAILURE, 0, "out of memory");
        assert_int_equal(problem.status, EXIT_OWN_FAILURE);
}

static void denied_without_a_resource_has_no_statement(void **state) {
        struct api_answer answer = {.end = API_REFUSED, .status = 403, .error = "AccessDenied", .message = "no"};

        (void)state;
        problem_of_answer(&answer, &config, &about, &problem);
        assert_int_equal(problem.status, EXIT_DENIED);
        assert_string_equal(problem.step, "");
}

static void statement_is_json_whatever_the_server_names(void **state) {
        struct api_answer answer = {.end = API_REFUSED, .status = 403, .error = "AccessDenied", .message = "no"};
        json_t *statement;

        (void)state;
        answer.body = json_pack("{ss ss}", "action", "a\"}\x1b", "resource", "b\n");
        problem_of_answer(&answer, &config, &about, &problem);
        statement = json_loads(strchr(problem.step, '{'), 0, NULL);
        assert_string_equal(json_string_value(json_object_get(statement, "Action")), "a\"}\x1b");
        assert_string_equal(json_string_value(json_object_get(statement, "Resource")), "b\n");
        assert_null(strchr(problem.step, '\x1b'));
        json_decref(statement);
        json_decref(answer.body);
}

static void longest_texts_are_cut(void **state) {
        struct api_answer answer = {.end = API_REFUSED, .status = 422, .error = "GuestRefused"};
        char text[4000];

        (void)state;
        memset(text, '%', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        memset(answer.message, 'm', sizeof(answer.message) - 1);
        answer.body = json_pack("{ss ss}", "guest_error", "NoSuchUser", "guest_message", text);
        problem_of_answer(&answer, &config, &(struct problem_about){.vm = text, .user = text}, &problem);
        assert_int_equal(problem.status, EXIT_GUEST_REFUSED);
        assert_true(strlen(problem.text) < sizeof(problem.text));
        json_decref(answer.body);
}

static void template_fills_user_and_vm(void **state) {
        (void)state;
        assert_true(problem_of_guest("NoSuchUser", &about, &problem));
        assert_string_equal(problem.text, "VM 42: it has no user 'alice'");
        assert_non_null(strstr(problem.step, "getent passwd alice"));
        assert_true(problem_of_guest("StoreFull", &about, &problem));
        assert_non_null(strstr(problem.step, "exc compute revoke 42 --all"));
        assert_false(problem_of_guest("OfANewerGuest", &about, &problem));
        assert_false(problem_of_guest("", &about, &problem));
}

static void host_keys_and_route(void **state) {
        (void)state;
        problem_of_host_keys("web", &problem);
        assert_int_equal(problem.status, EXIT_HOST_KEYS_CHANGED);
        assert_non_null(strstr(problem.step, "exc compute instance accept-host-keys web"));
        problem_of_route("web", "192.0.2.7 port 22", EHOSTUNREACH, &problem);
        assert_int_equal(problem.status, EXIT_GUEST_UNREACHABLE);
        assert_non_null(strstr(problem.text, "192.0.2.7 port 22: No route to host"));
        assert_non_null(strstr(problem.step, "--address"));
        problem_of_route("web", "192.0.2.7 port 22", ECONNREFUSED, &problem);
        assert_non_null(strstr(problem.step, "systemctl status ssh"));
}

static void failures_of_libcurl_are_sorted(void **state) {
        (void)state;
        assert_int_equal(api_end_of(CURLE_COULDNT_RESOLVE_HOST, 0), API_NO_NAME);
        assert_int_equal(api_end_of(CURLE_COULDNT_CONNECT, 0), API_NO_CONNECTION);
        assert_int_equal(api_end_of(CURLE_RECV_ERROR, 407), API_NO_PROXY);
        assert_int_equal(api_end_of(CURLE_RECV_ERROR, 200), API_CUT);
        assert_int_equal(api_end_of(CURLE_OPERATION_TIMEDOUT, 0), API_TIMED_OUT);
        assert_int_equal(api_end_of(CURLE_PEER_FAILED_VERIFICATION, 0), API_TLS);
        assert_int_equal(api_end_of(CURLE_UNSUPPORTED_PROTOCOL, 0), API_FOREIGN);
        assert_int_equal(api_end_of(CURLE_OUT_OF_MEMORY, 0), API_OWN_FAILURE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_end_has_text_status_and_step),
                cmocka_unit_test(denied_without_a_resource_has_no_statement),
                cmocka_unit_test(statement_is_json_whatever_the_server_names),
                cmocka_unit_test(longest_texts_are_cut),
                cmocka_unit_test(template_fills_user_and_vm),
                cmocka_unit_test(host_keys_and_route),
                cmocka_unit_test(failures_of_libcurl_are_sorted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
