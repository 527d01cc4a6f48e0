/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/delivery_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct delivery_outcome of_signer(enum signer_result result, const char *field) {
        struct delivery_outcome outcome = {.end = DELIVERY_NOT_SIGNED, .signer = result};

        memcpy(outcome.signer_fault.message, "why", 4);
        memcpy(outcome.signer_fault.field, field, strlen(field) + 1);
        return outcome;
}

static struct delivery_outcome of_host(enum host_result result, const char *guest_error) {
        struct delivery_outcome outcome = {.end = DELIVERY_NOT_ANSWERED, .host = result};

        memcpy(outcome.host_fault.message, "why", 4);
        memcpy(outcome.host_fault.guest_error, guest_error, strlen(guest_error) + 1);
        return outcome;
}

static void refusals_of_the_signer(void **state) {
        struct delivery_outcome outcome = of_signer(SIGNER_DENIED, "user");

        (void)state;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_SIGNER_REFUSED);
        assert_string_equal(delivery_error(&outcome).message, "why");
        assert_true(delivery_is_refused(&outcome));

        outcome = of_signer(SIGNER_RATE_LIMITED, "");
        outcome.signer_fault.retry_after_ms = 1234;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_TOO_MANY_REQUESTS);
        assert_int_equal(delivery_error(&outcome).retry_after_ms, 1234);
        assert_false(delivery_is_refused(&outcome));

        outcome = of_signer(SIGNER_UNAVAILABLE, "");
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_SIGNER_UNAVAILABLE);
        assert_false(delivery_is_refused(&outcome));
}

static void fields_of_the_signer_are_the_callers(void **state) {
        static const char *const fields[][2] = {
                {"user", "user"}, {"publicKeys", "public_key"}, {"sources", "source"}, {"instance", "vm_id"}};
        struct delivery_outcome outcome;

        (void)state;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
                outcome = of_signer(SIGNER_INVALID, fields[i][0]);
                assert_int_equal(delivery_error(&outcome).error, API_ERROR_INVALID_REQUEST);
                assert_string_equal(delivery_error(&outcome).field, fields[i][1]);
        }
        /* One that the caller cannot have got wrong. */
        outcome = of_signer(SIGNER_INVALID, "auditHead");
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_INTERNAL);
}

static void refusals_of_the_guest_are_no_fault_of_the_server(void **state) {
        static const char *const names[] = {
                "NoSuchUser", "UserDenied",     "KeyRejected",  "Expired",
                "StoreFull",  "StorageFailure", "SomethingNew", "org.varlink.service.MethodNotFound"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct delivery_outcome outcome = of_host(HOST_GUEST_REFUSED, names[i]);

                assert_int_equal(delivery_error(&outcome).error, API_ERROR_GUEST_REFUSED);
                assert_string_equal(delivery_error(&outcome).guest_error, names[i]);
                assert_true(delivery_is_refused(&outcome));
        }
}

static void rate_of_the_guest_is_too_many_requests(void **state) {
        struct delivery_outcome outcome = of_host(HOST_GUEST_REFUSED, "RateLimited");

        (void)state;
        outcome.host_fault.retry_after_ms = 250;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_TOO_MANY_REQUESTS);
        assert_int_equal(delivery_error(&outcome).retry_after_ms, 250);
        assert_string_equal(delivery_error(&outcome).guest_error, "RateLimited");
        assert_false(delivery_is_refused(&outcome));
        /* Retry-After is never 0. */
        outcome = of_host(HOST_BUSY, "");
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_TOO_MANY_REQUESTS);
        assert_true(delivery_error(&outcome).retry_after_ms > 0);
}

static void failures_of_host_and_guest(void **state) {
        static const struct {
                enum host_result result;
                enum api_error error;
        } cases[] = {
                {HOST_GUEST_UNREACHABLE, API_ERROR_GUEST_UNREACHABLE},
                {HOST_NO_INSTANCE, API_ERROR_GUEST_UNREACHABLE},
                {HOST_NO_HANDLE, API_ERROR_HOST_UNREACHABLE},
                {HOST_UNREACHABLE, API_ERROR_HOST_UNREACHABLE},
                {HOST_UNKNOWN, API_ERROR_GUEST_TIMEOUT},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct delivery_outcome outcome = of_host(cases[i].result, "");

                assert_int_equal(delivery_error(&outcome).error, cases[i].error);
                assert_false(delivery_is_refused(&outcome));
        }
}

static void other_ends(void **state) {
        struct delivery_outcome outcome = {.end = DELIVERY_OTHER_GUEST};

        (void)state;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_GUEST_REFUSED);
        assert_string_equal(delivery_error(&outcome).guest_error, "WrongInstance");
        assert_non_null(delivery_suspicion(&outcome));
        outcome.end = DELIVERY_NO_HOST;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_HOST_UNREACHABLE);
        outcome.end = DELIVERY_LATE;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_GUEST_TIMEOUT);
        outcome.end = DELIVERY_DONE;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_NONE);
        outcome.end = DELIVERY_STOPPED;
        assert_int_equal(delivery_error(&outcome).error, API_ERROR_NONE);
        assert_null(delivery_suspicion(&outcome));
}

static void wrong_answer_is_suspicious_and_a_late_one_is_not(void **state) {
        struct delivery_outcome outcome = of_host(HOST_UNKNOWN, "");

        (void)state;
        assert_null(delivery_suspicion(&outcome));
        outcome.host_fault.wrong = true;
        assert_string_equal(delivery_suspicion(&outcome), "why");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(refusals_of_the_signer),
                cmocka_unit_test(fields_of_the_signer_are_the_callers),
                cmocka_unit_test(refusals_of_the_guest_are_no_fault_of_the_server),
                cmocka_unit_test(rate_of_the_guest_is_too_many_requests),
                cmocka_unit_test(failures_of_host_and_guest),
                cmocka_unit_test(other_ends),
                cmocka_unit_test(wrong_answer_is_suspicious_and_a_late_one_is_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
