/* SPDX-License-Identifier: Apache-2.0 */
#include "host/turns.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/clock.h"

enum { LONG_MS = 600 * 1000, CALLERS = 8 };

static struct turns *turns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int order[CALLERS], n_served;

static int setup(void **state) {
        (void)state;
        turns = turns_new();
        n_served = 0;
        return turns ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        turns_unref(turns);
        return 0;
}

static int64_t later(void) {
        return clock_ms(CLOCK_MONOTONIC) + LONG_MS;
}

struct caller {
        pthread_t thread;
        int number, result;
        int64_t deadline_ms;
};

static void *call(void *context) {
        struct caller *caller = context;

        caller->result = turns_take(turns, CALLERS, caller->deadline_ms);
        if (caller->result == 0) {
                (void)pthread_mutex_lock(&lock);
                order[n_served++] = caller->number;
                (void)pthread_mutex_unlock(&lock);
                turns_release(turns);
        }
        return NULL;
}

static void start(struct caller *caller, int number, int64_t deadline_ms) {
        unsigned before = turns_waiting(turns);

        *caller = (struct caller){.number = number, .deadline_ms = deadline_ms};
        assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
        while (turns_waiting(turns) == before)
                (void)usleep(1000);
}

static void turns_go_in_the_order_of_arrival(void **state) {
        struct caller callers[CALLERS];

        (void)state;
        assert_int_equal(turns_take(turns, 0, later()), 0);
        for (int i = 0; i < CALLERS; i++)
                start(&callers[i], i, later());
        turns_release(turns);
        for (int i = 0; i < CALLERS; i++)
                assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(n_served, CALLERS);
        for (int i = 0; i < CALLERS; i++)
                assert_int_equal(order[i], i);
        /* The turn is free again. */
        assert_int_equal(turns_take(turns, 0, later()), 0);
}

static void caller_gives_up_at_its_own_deadline(void **state) {
        struct caller first, last, patient;

        (void)state;
        assert_int_equal(turns_take(turns, 0, later()), 0);
        start(&first, 0, clock_ms(CLOCK_MONOTONIC) + 300);
        start(&patient, 1, later());
        start(&last, 2, clock_ms(CLOCK_MONOTONIC) + 300);
        assert_int_equal(pthread_join(first.thread, NULL), 0);
        assert_int_equal(pthread_join(last.thread, NULL), 0);
        assert_int_equal(first.result, -ETIMEDOUT);
        assert_int_equal(last.result, -ETIMEDOUT);
        assert_int_equal(turns_waiting(turns), 1);
        turns_release(turns);
        assert_int_equal(pthread_join(patient.thread, NULL), 0);
        assert_int_equal(patient.result, 0);
}

static void full_queue_refuses(void **state) {
        struct caller waiting;

        (void)state;
        assert_int_equal(turns_take(turns, 0, later()), 0);
        assert_int_equal(turns_take(turns, 0, later()), -EBUSY);
        start(&waiting, 0, later());
        assert_int_equal(turns_take(turns, 1, later()), -EBUSY);
        turns_release(turns);
        assert_int_equal(pthread_join(waiting.thread, NULL), 0);
        assert_int_equal(waiting.result, 0);
}

static void deadline_that_has_passed_still_takes_a_free_turn(void **state) {
        (void)state;
        assert_int_equal(turns_take(turns, 1, 0), 0);
        assert_int_equal(turns_take(turns, 1, 0), -ETIMEDOUT);
        assert_int_equal(turns_waiting(turns), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(turns_go_in_the_order_of_arrival),
                TEST(caller_gives_up_at_its_own_deadline),
                TEST(full_queue_refuses),
                TEST(deadline_that_has_passed_still_takes_a_free_turn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
