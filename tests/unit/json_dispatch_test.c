/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct target {
        char text[4 + 1];
        const char *ref;
        int64_t number;
        bool flag;
        int taken; /* calls of take_counted() */
};

static enum refusal take_counted(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        (*(int *)member)++;
        return json_is_null(value) ? json_dispatch_refuse(field, ret_why) : REFUSAL_NONE;
}

static const struct json_dispatch_field fields[] = {
        {"text", json_dispatch_text, offsetof(struct target, text), .min = 1, .max = 4, .expected = "1 to 4 bytes"},
        {"ref", json_dispatch_text_ref, offsetof(struct target, ref), .max = 8, .expected = "at most 8 bytes"},
        {"number", json_dispatch_integer, offsetof(struct target, number), .min = -3, .max = 7, .required = true,
         .expected = "-3 to 7"},
        {"flag", json_dispatch_boolean, offsetof(struct target, flag), .expected = "true or false"},
        {"counted", take_counted, offsetof(struct target, taken), .expected = "anything but null"},
        {.name = NULL},
};

static json_t *object;
static struct target target;
static struct refused refused;

static int teardown(void **state) {
        (void)state;
        json_decref(object);
        object = NULL;
        return 0;
}

static const char *dispatch(const char *text, unsigned flags) {
        json_decref(object);
        object = json_loads(text, 0, NULL);
        assert_non_null(object);
        target = (struct target){.text = "was", .ref = "was", .number = 99};
        refused = (struct refused){.why = REFUSAL_NONE};
        return json_dispatch(object, fields, flags, &target, &refused);
}

static void assert_taken(const char *text, unsigned flags) {
        const char *fault = dispatch(text, flags);

        if (fault)
                fail_msg("%s: %s", fault, refused.message);
}

static void assert_fault(const char *text, unsigned flags, const char *name, const char *message) {
        const char *fault = dispatch(text, flags);

        assert_non_null(fault);
        assert_string_equal(fault, name);
        assert_int_equal(refused.why, REFUSAL_INVALID_PAYLOAD);
        assert_string_equal(refused.message, message);
}

static void each_type_is_copied(void **state) {
        (void)state;
        assert_taken("{\"text\":\"abcd\",\"ref\":\"\",\"number\":-3,\"flag\":true,\"counted\":[]}", 0);
        assert_string_equal(target.text, "abcd");
        assert_string_equal(target.ref, "");
        assert_int_equal(target.number, -3);
        assert_true(target.flag);
        assert_int_equal(target.taken, 1);
}

static void absent_member_is_left_alone(void **state) {
        (void)state;
        assert_taken("{\"number\":7}", 0);
        assert_string_equal(target.text, "was");
        assert_string_equal(target.ref, "was");
        assert_int_equal(target.number, 7);
        assert_false(target.flag);
        assert_int_equal(target.taken, 0);
}

static void required_member_must_be_there(void **state) {
        (void)state;
        assert_fault("{}", 0, "number", "number: missing; expected -3 to 7");
        assert_fault("{\"number\":null}", JSON_DISPATCH_NULL_IS_ABSENT, "number", "number: missing; expected -3 to 7");
        assert_fault("{\"number\":null}", 0, "number", "number: expected -3 to 7");
        assert_string_equal(refused.field, "number");
}

static void value_out_of_range_is_refused(void **state) {
        (void)state;
        assert_fault("{\"number\":8}", 0, "number", "number: expected -3 to 7");
        assert_fault("{\"number\":-4}", 0, "number", "number: expected -3 to 7");
        assert_fault("{\"number\":1,\"text\":\"\"}", 0, "text", "text: expected 1 to 4 bytes");
        assert_fault("{\"number\":1,\"text\":\"abcde\"}", 0, "text", "text: expected 1 to 4 bytes");
        assert_fault("{\"number\":1,\"ref\":\"123456789\"}", 0, "ref", "ref: expected at most 8 bytes");
}

static void value_of_another_type_is_refused(void **state) {
        static const char *const values[] = {"1.0", "[]", "{}", "null"};
        char text[64];

        (void)state;
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                for (size_t j = 0; j < 4; j++) {
                        (void)snprintf(text, sizeof(text), "{\"%s\":%s%s}", fields[j].name, values[i],
                                       j == 2 ? "" : ",\"number\":1");
                        assert_string_equal(dispatch(text, 0), fields[j].name);
                }
}

static void null_is_absent_where_that_is_asked_for(void **state) {
        (void)state;
        assert_taken("{\"number\":1,\"text\":null,\"ref\":null,\"flag\":null,\"counted\":null}",
                     JSON_DISPATCH_NULL_IS_ABSENT);
        assert_string_equal(target.text, "was");
        assert_int_equal(target.taken, 0);
        assert_fault("{\"number\":1,\"counted\":null}", 0, "counted", "counted: expected anything but null");
}

static void first_fault_in_the_order_of_the_table_is_named(void **state) {
        (void)state;
        assert_fault("{\"flag\":1,\"number\":100,\"ref\":1,\"text\":1}", 0, "text", "text: expected 1 to 4 bytes");
        assert_fault("{\"flag\":1,\"number\":100}", 0, "number", "number: expected -3 to 7");
}

static void unknown_member_is_refused_where_that_is_asked_for(void **state) {
        (void)state;
        assert_taken("{\"number\":1,\"Text\":1}", 0);
        assert_fault("{\"number\":100,\"Text\":1}", JSON_DISPATCH_REFUSE_UNKNOWN, "Text",
                     "unknown parameter; check its spelling");
        assert_string_equal(refused.field, "Text");
        assert_fault("{\"number\":1,\"\":null}", JSON_DISPATCH_REFUSE_UNKNOWN | JSON_DISPATCH_NULL_IS_ABSENT, "",
                     "unknown parameter; check its spelling");
}

static void table_knows_its_names(void **state) {
        (void)state;
        assert_true(json_dispatch_known(fields, "text"));
        assert_true(json_dispatch_known(fields, "counted"));
        assert_false(json_dispatch_known(fields, "tex"));
        assert_false(json_dispatch_known(fields, ""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(each_type_is_copied, teardown),
                cmocka_unit_test_teardown(absent_member_is_left_alone, teardown),
                cmocka_unit_test_teardown(required_member_must_be_there, teardown),
                cmocka_unit_test_teardown(value_out_of_range_is_refused, teardown),
                cmocka_unit_test_teardown(value_of_another_type_is_refused, teardown),
                cmocka_unit_test_teardown(null_is_absent_where_that_is_asked_for, teardown),
                cmocka_unit_test_teardown(first_fault_in_the_order_of_the_table_is_named, teardown),
                cmocka_unit_test_teardown(unknown_member_is_refused_where_that_is_asked_for, teardown),
                cmocka_unit_test_teardown(table_knows_its_names, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
