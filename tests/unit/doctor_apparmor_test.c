/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_apparmor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STAMP "audit: type=1400 audit(1764518400.123:45): "
#define OPENED                                                                                                         \
        "apparmor=\"DENIED\" operation=\"open\" class=\"file\" profile=\"exc-instance-connect-agent\" "                \
        "name=\"/srv/cloud.pem\" pid=321 comm=\"exc-instance-co\" requested_mask=\"r\" denied_mask=\"r\" fsuid=997 "   \
        "ouid=0"

/* Of heap memory of just that size, so that reading past it is noticed. */
static bool parse(const char *text, bool by_audit, struct apparmor_denial *ret) {
        size_t n = strlen(text);
        char *copy = malloc(n > 0 ? n : 1);
        bool is_denial;

        assert_non_null(copy);
        memcpy(copy, text, n);
        is_denial = apparmor_denial_parse(copy, n, by_audit, ret);
        free(copy);
        return is_denial;
}

static void assert_denial(const char *text, bool by_audit, const char *profile, const char *operation, const char *mask,
                          const char *object) {
        struct apparmor_denial denial;

        assert_true(parse(text, by_audit, &denial));
        assert_string_equal(apparmor_profile_name(denial.profile), profile);
        assert_string_equal(denial.operation, operation);
        assert_string_equal(denial.mask, mask);
        assert_string_equal(denial.object, object);
}

static void denied_file_is_read_from_kernels_log_and_from_audit(void **state) {
        (void)state;
        assert_denial(STAMP OPENED, false, "exc-instance-connect-agent", "open", "r", "/srv/cloud.pem");
        assert_denial("AVC " OPENED, true, "exc-instance-connect-agent", "open", "r", "/srv/cloud.pem");
}

static void denied_socket_and_capability_are_named(void **state) {
        (void)state;
        assert_denial(STAMP "apparmor=\"DENIED\" operation=\"create\" class=\"net\" "
                            "profile=\"exc-instance-connect-relay\" pid=4 comm=\"x\" family=\"inet\" "
                            "sock_type=\"stream\" protocol=0 requested_mask=\"create\" denied_mask=\"create\"",
                      false, "exc-instance-connect-relay", "create", "create", "inet stream");
        assert_denial(STAMP "apparmor=\"DENIED\" operation=\"capable\" class=\"cap\" profile=\"exc-authorized-keys\" "
                            "pid=4 comm=\"x\" capability=21  capname=\"sys_admin\"",
                      false, "exc-authorized-keys", "capable", "", "sys_admin");
}

/* "/srv/a b" */
static void name_in_hexadecimal_is_decoded(void **state) {
        (void)state;
        assert_denial(STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-instance-connect-metadata\" "
                            "name=2F7372762F612062 pid=1 denied_mask=\"r\"",
                      false, "exc-instance-connect-metadata", "open", "r", "/srv/a b");
        assert_denial(STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized-keys\" name=2F0 pid=1",
                      false, "exc-authorized-keys", "open", "", "");
        assert_denial(STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized-keys\" name=2F00 pid=1",
                      false, "exc-authorized-keys", "open", "", "");
}

static void name_that_does_not_fit_is_left_out(void **state) {
        char name[APPARMOR_OBJECT_MAX + 1], text[1024];

        (void)state;
        memset(name, 'a', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        (void)snprintf(text, sizeof(text),
                       STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized-keys\" name=\"%s\"",
                       name);
        assert_denial(text, false, "exc-authorized-keys", "open", "", "");
}

static void other_records_are_none(void **state) {
        static const char *const others[] = {
                "",
                "audit: type=1400 ",
                STAMP,
                /* As a program with the right to write to the audit socket may have it. */
                "audit: type=1105 audit(1764518400.123:45): " OPENED,
                "audit: type=1400 audit(x): " OPENED,
                "AVC " OPENED,
                "exc: " STAMP OPENED,
                STAMP "apparmor=\"ALLOWED\" operation=\"open\" profile=\"exc-authorized-keys\" name=\"/a\"",
                STAMP
                "apparmor=\"STATUS\" operation=\"profile_load\" profile=\"unconfined\" name=\"exc-authorized-keys\"",
                STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized-keys-chain\" name=\"/a\"",
                STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized\" name=\"/a\"",
                STAMP "apparmor=\"DENIED\" profile=\"exc-authorized-keys\" name=\"/a\"",
                STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized-keys",
        };
        struct apparmor_denial denial;

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(parse(others[i], false, &denial));
        assert_false(parse(STAMP OPENED, true, &denial));
}

/* Of a path with quotes or blanks there is nothing but hexadecimal digits, so what is in a name is no member. */
static void part_of_a_name_is_no_member(void **state) {
        (void)state;
        assert_denial(STAMP "apparmor=\"DENIED\" operation=\"open\" profile=\"exc-authorized-keys\" "
                            "name=\"/a=b profile=exc-instance-connect-relay\" pid=1",
                      false, "exc-authorized-keys", "open", "", "/a=b profile=exc-instance-connect-relay");
}

static void assert_mode(const char *profiles, const char *name, const char *expected) {
        char *text = strdup(profiles), mode[APPARMOR_MODE_MAX];
        FILE *file;

        assert_non_null(text);
        file = fmemopen(text, strlen(text), "r");
        assert_non_null(file);
        apparmor_mode(file, name, mode);
        assert_string_equal(mode, expected);
        (void)fclose(file);
        free(text);
}

static void mode_is_that_of_the_profile_alone(void **state) {
        static const char profiles[] = "lsb_release (enforce)\nexc-authorized-keys-chain (enforce)\n"
                                       "exc-authorized-keys (complain)\nexc-instance-connect-agent (enforce)\n"
                                       "exc-instance-connect-relay (enf";

        (void)state;
        assert_mode(profiles, "exc-authorized-keys", "complain");
        assert_mode(profiles, "exc-instance-connect-agent", "enforce");
        assert_mode(profiles, "exc-instance-connect-metadata", "");
        assert_mode(profiles, "exc-instance-connect-relay", "");
        assert_mode("x (a-mode-that-is-much-longer)\n", "x", "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(denied_file_is_read_from_kernels_log_and_from_audit),
                cmocka_unit_test(denied_socket_and_capability_are_named),
                cmocka_unit_test(name_in_hexadecimal_is_decoded),
                cmocka_unit_test(name_that_does_not_fit_is_left_out),
                cmocka_unit_test(other_records_are_none),
                cmocka_unit_test(part_of_a_name_is_no_member),
                cmocka_unit_test(mode_is_that_of_the_profile_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
