/* SPDX-License-Identifier: Apache-2.0 */
#include "host/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct guest guest;

/* The outcome of a delivery that the guest answered with that error, by its whole name. */
static struct outcome refusal(const char *error, json_t *parameters) {
        struct client_reply reply = {.parameters = parameters};

        assert_true(strlen(error) < sizeof(reply.error));
        memcpy(reply.error, error, strlen(error) + 1);
        assert_null(answer_take_refusal(&reply, &guest.refusal));
        json_decref(parameters);
        return outcome_of_guest(&guest, CLIENT_REFUSED, true);
}

static void assert_refused(const char *error, const char *name) {
        struct outcome outcome = refusal(error, json_pack("{ss}", "message", "no"));

        assert_string_equal(outcome.error, HOST_GUEST_REFUSED);
        assert_string_equal(json_string_value(json_object_get(outcome.parameters, "name")), name);
        assert_non_null(json_string_value(json_object_get(outcome.parameters, "message")));
        json_decref(outcome.parameters);
}

static void assert_protocol(const char *error) {
        struct outcome outcome = refusal(error, json_pack("{ss}", "message", "no"));

        assert_string_equal(outcome.error, HOST_GUEST_PROTOCOL);
        assert_null(json_object_get(outcome.parameters, "name"));
        assert_non_null(
                strstr(json_string_value(json_object_get(outcome.parameters, "message")), strrchr(error, '.') + 1));
        json_decref(outcome.parameters);
}

static void refusal_has_its_name(void **state) {
        (void)state;
        assert_refused(VARLINK_INTERFACE ".Expired", "Expired");
        assert_refused(VARLINK_INTERFACE ".OfANewerGuest2", "OfANewerGuest2");
        /* 63 letters */
        assert_refused(VARLINK_INTERFACE ".AbcdefghijklmnopqrstuvwxyzAbcdefghijklmnopqrstuvwxyzAbcdefghijk",
                       "AbcdefghijklmnopqrstuvwxyzAbcdefghijklmnopqrstuvwxyzAbcdefghijk");
}

static void parameters_of_a_refusal_are_passed_on(void **state) {
        struct outcome outcome =
                refusal(VARLINK_INTERFACE ".RateLimited", json_pack("{ss si}", "message", "later", "retryAfterMs", 7));

        (void)state;
        assert_int_equal(json_integer_value(json_object_get(outcome.parameters, "retryAfterMs")), 7);
        assert_true(json_is_null(json_object_get(outcome.parameters, "index")));
        json_decref(outcome.parameters);
        outcome = refusal(VARLINK_INTERFACE ".KeyRejected", json_pack("{ss si}", "message", "weak", "index", 0));
        assert_true(json_is_integer(json_object_get(outcome.parameters, "index")));
        assert_true(json_is_null(json_object_get(outcome.parameters, "retryAfterMs")));
        json_decref(outcome.parameters);
}

static void guest_makes_nobody_wait_for_more_than_an_hour(void **state) {
        struct outcome outcome = refusal(VARLINK_INTERFACE ".RateLimited",
                                         json_pack("{ss si}", "message", "later", "retryAfterMs", INT32_MAX));

        (void)state;
        assert_int_equal(json_integer_value(json_object_get(outcome.parameters, "retryAfterMs")), 60 * 60 * 1000);
        json_decref(outcome.parameters);
}

/* Callers read names of the interface, and would take the host for the liar. */
static void names_that_no_interface_has_are_no_refusal(void **state) {
        (void)state;
        assert_protocol("org.varlink.service.MethodNotFound");
        assert_protocol(VARLINK_INTERFACE ".Two_Words");
        assert_protocol(VARLINK_INTERFACE ".two-words");
        assert_protocol(VARLINK_INTERFACE ".AbcdefghijklmnopqrstuvwxyzAbcdefghijklmnopqrstuvwxyzAbcdefghijkl");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(refusal_has_its_name),
                cmocka_unit_test(parameters_of_a_refusal_are_passed_on),
                cmocka_unit_test(guest_makes_nobody_wait_for_more_than_an_hour),
                cmocka_unit_test(names_that_no_interface_has_are_no_refusal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
