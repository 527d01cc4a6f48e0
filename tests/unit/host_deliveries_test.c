/* SPDX-License-Identifier: Apache-2.0 */
#include "host/deliveries.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/clock.h"

enum { LONG_MS = 600 * 1000 };

static struct deliveries *deliveries;

static int setup(void **state) {
        (void)state;
        deliveries = deliveries_new(4, 64);
        return deliveries ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        deliveries_free(deliveries);
        return 0;
}

static struct delivery_call call_of(int id, const char *instance, uint8_t envelope) {
        struct delivery_call call = {.call_id = ""};

        (void)snprintf(call.call_id, sizeof(call.call_id), "%022d", id);
        (void)snprintf(call.instance, sizeof(call.instance), "%s", instance);
        memset(call.digest, envelope, sizeof(call.digest));
        return call;
}

static enum delivery_begin begin(int id, int64_t now_ms, struct delivery **ret) {
        struct delivery_call call = call_of(id, "42", 1);

        return delivery_begin(deliveries, &call, now_ms, ret);
}

/* Begins and ends a call. */
static void deliver(int id, const char *text, int64_t now_ms) {
        struct delivery *delivery;

        assert_int_equal(begin(id, now_ms, &delivery), DELIVERY_NEW);
        delivery_finish(delivery, NULL, strdup(text), false, now_ms);
        delivery_unref(delivery);
}

static void assert_known(int id, int64_t now_ms, const char *text) {
        struct delivery_answer answer;
        struct delivery *delivery;

        assert_int_equal(begin(id, now_ms, &delivery), DELIVERY_KNOWN);
        assert_int_equal(delivery_wait(delivery, 0, &answer), 0);
        assert_null(answer.error);
        assert_string_equal(answer.text, text);
        delivery_unref(delivery);
}

static void same_call_gets_the_first_answer(void **state) {
        struct delivery_answer answer;
        struct delivery *delivery;

        (void)state;
        deliver(1, "{}", 0);
        assert_known(1, 1000, "{}");
        assert_int_equal(begin(2, 0, &delivery), DELIVERY_NEW);
        delivery_finish(delivery, "an.error", strdup("[]"), false, 0);
        delivery_unref(delivery);
        assert_int_equal(begin(2, 0, &delivery), DELIVERY_KNOWN);
        assert_int_equal(delivery_wait(delivery, 0, &answer), 0);
        assert_string_equal(answer.error, "an.error");
        assert_string_equal(answer.text, "[]");
        delivery_unref(delivery);
}

static void other_envelope_or_instance_is_another_call(void **state) {
        struct delivery_call envelope = call_of(1, "42", 2), instance = call_of(1, "43", 1);
        struct delivery *delivery, *none = NULL;

        (void)state;
        assert_int_equal(begin(1, 0, &delivery), DELIVERY_NEW);
        assert_int_equal(delivery_begin(deliveries, &envelope, 0, &none), DELIVERY_OTHER);
        assert_int_equal(delivery_begin(deliveries, &instance, 0, &none), DELIVERY_OTHER);
        delivery_finish(delivery, NULL, NULL, false, 0);
        delivery_unref(delivery);
        assert_int_equal(delivery_begin(deliveries, &envelope, 0, &none), DELIVERY_OTHER);
        assert_null(none);
}

static void answer_is_remembered_for_its_time(void **state) {
        struct delivery *delivery;

        (void)state;
        deliver(1, "a", 1000);
        deliver(2, "b", 5000);
        assert_known(1, 1000 + DELIVERIES_KEEP_MS - 1, "a");
        assert_int_equal(begin(1, 1000 + DELIVERIES_KEEP_MS, &delivery), DELIVERY_NEW);
        delivery_finish(delivery, NULL, NULL, true, 0);
        delivery_unref(delivery);
        assert_known(2, 1000 + DELIVERIES_KEEP_MS, "b");
}

/* Also one that takes long. */
static void call_that_is_under_way_is_not_forgotten(void **state) {
        struct delivery *delivery, *same;
        struct delivery_answer answer;

        (void)state;
        assert_int_equal(begin(1, 0, &delivery), DELIVERY_NEW);
        assert_int_equal(begin(1, (int64_t)10 * DELIVERIES_KEEP_MS, &same), DELIVERY_KNOWN);
        assert_int_equal(delivery_wait(same, clock_ms(CLOCK_MONOTONIC) + 50, &answer), -ETIMEDOUT);
        delivery_unref(same);
        delivery_finish(delivery, NULL, strdup("x"), false, (int64_t)10 * DELIVERIES_KEEP_MS);
        delivery_unref(delivery);
        assert_known(1, (int64_t)10 * DELIVERIES_KEEP_MS, "x");
}

static void call_that_was_not_carried_out_may_be_made_again(void **state) {
        struct delivery *delivery, *joined;
        struct delivery_answer answer;

        (void)state;
        assert_int_equal(begin(1, 0, &delivery), DELIVERY_NEW);
        assert_int_equal(begin(1, 0, &joined), DELIVERY_KNOWN);
        delivery_finish(delivery, "busy", strdup("{}"), true, 0);
        delivery_unref(delivery);
        assert_int_equal(delivery_wait(joined, 0, &answer), 0);
        assert_string_equal(answer.error, "busy");
        delivery_unref(joined);
        deliver(1, "x", 0);
        assert_known(1, 0, "x");
}

static void full_memory_refuses_and_forgets_nothing(void **state) {
        struct delivery *delivery;

        (void)state;
        for (int i = 0; i < 4; i++)
                deliver(i, "x", i);
        assert_int_equal(begin(9, DELIVERIES_KEEP_MS - 1, &delivery), DELIVERY_FULL);
        for (int i = 0; i < 4; i++)
                assert_known(i, DELIVERIES_KEEP_MS - 1, "x");
        /* The oldest makes room. */
        deliver(9, "x", DELIVERIES_KEEP_MS);
        assert_int_equal(begin(10, DELIVERIES_KEEP_MS, &delivery), DELIVERY_FULL);
}

static void long_answers_fill_the_memory(void **state) {
        struct delivery *delivery;

        (void)state;
        deliver(1, "0123456789012345678901234567890123456789012345678901234567890123456789", 0);
        assert_int_equal(begin(2, 0, &delivery), DELIVERY_FULL);
        deliver(2, "x", DELIVERIES_KEEP_MS);
}

static void *join(void *context) {
        struct delivery_answer answer;
        struct delivery *delivery;

        (void)context;
        if (begin(1, 0, &delivery) != DELIVERY_KNOWN)
                return NULL;
        if (delivery_wait(delivery, clock_ms(CLOCK_MONOTONIC) + LONG_MS, &answer) < 0)
                return NULL;
        return delivery;
}

static void callers_who_join_get_the_answer_when_it_comes(void **state) {
        struct delivery *delivery, *same;
        pthread_t threads[4];

        (void)state;
        assert_int_equal(begin(1, 0, &delivery), DELIVERY_NEW);
        for (int i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, join, NULL), 0);
        delivery_finish(delivery, NULL, strdup("x"), false, 0);
        for (int i = 0; i < 4; i++) {
                void *got;

                assert_int_equal(pthread_join(threads[i], &got), 0);
                same = got;
                assert_ptr_equal(same, delivery);
                delivery_unref(same);
        }
        delivery_unref(delivery);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(same_call_gets_the_first_answer),
                TEST(other_envelope_or_instance_is_another_call),
                TEST(answer_is_remembered_for_its_time),
                TEST(call_that_is_under_way_is_not_forgotten),
                TEST(call_that_was_not_carried_out_may_be_made_again),
                TEST(full_memory_refuses_and_forgets_nothing),
                TEST(long_answers_fill_the_memory),
                TEST(callers_who_join_get_the_answer_when_it_comes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
