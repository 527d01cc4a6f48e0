/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Passes as much as there is room for, and returns how much. */
static size_t offer(struct frames *frames, const char *bytes, size_t n) {
        size_t size;
        char *space = frames_space(frames, &size);

        if (n > size)
                n = size;
        memcpy(space, bytes, n);
        frames_received(frames, n);
        return n;
}

static void receive(struct frames *frames, const char *bytes, size_t n) {
        assert_int_equal(offer(frames, bytes, n), n);
}

static void assert_none(struct frames *frames) {
        char *message;
        size_t length, size;

        assert_int_equal(frames_next(frames, &message, &length), FRAME_NONE);
        (void)frames_space(frames, &size);
        assert_true(size > 0);
}

static void assert_message(struct frames *frames, const char *text) {
        char *message;
        size_t length;

        assert_int_equal(frames_next(frames, &message, &length), FRAME_MESSAGE);
        assert_int_equal(length, strlen(text));
        assert_string_equal(message, text);
}

/* Receives `n` times 'x' and a NUL, in as many reads as it takes, and returns the last result. */
static enum frame receive_of_length(struct frames *frames, size_t n, size_t *ret_length) {
        enum frame result;
        char *message;

        for (; n > 0; n--) {
                receive(frames, "x", 1);
                assert_none(frames);
                assert_true(frames_half(frames));
        }
        receive(frames, "", 1);
        result = frames_next(frames, &message, ret_length);
        assert_none(frames);
        assert_false(frames_half(frames));
        return result;
}

static void message_ends_at_its_nul(void **state) {
        struct frames frames = {.used = 0};

        (void)state;
        assert_none(&frames);
        receive(&frames, "{\"a\":1}", 8);
        assert_message(&frames, "{\"a\":1}");
        assert_none(&frames);
}

static void message_may_arrive_byte_by_byte(void **state) {
        static const char text[] = "{\"method\":\"m\"}";
        struct frames frames = {.used = 0};

        (void)state;
        for (size_t i = 0; i < sizeof(text); i++) {
                assert_none(&frames);
                receive(&frames, text + i, 1);
        }
        assert_message(&frames, text);
}

static void several_messages_in_one_read(void **state) {
        struct frames frames = {.used = 0};

        (void)state;
        receive(&frames, "one\0two\0thr", 11);
        assert_message(&frames, "one");
        assert_message(&frames, "two");
        assert_none(&frames);
        receive(&frames, "ee", 3);
        assert_message(&frames, "three");
        assert_none(&frames);
}

static void nul_alone_is_no_message(void **state) {
        struct frames frames = {.used = 0};

        (void)state;
        receive(&frames, "\0\0one\0\0\0two\0\0", 13);
        assert_message(&frames, "one");
        assert_message(&frames, "two");
        assert_none(&frames);
        assert_false(frames_half(&frames));
}

static void message_has_at_most_16_kib(void **state) {
        struct frames frames = {.used = 0};
        size_t length;

        (void)state;
        assert_int_equal(receive_of_length(&frames, FRAME_MAX - 1, &length), FRAME_MESSAGE);
        assert_int_equal(length, FRAME_MAX - 1);
        assert_int_equal(receive_of_length(&frames, FRAME_MAX, &length), FRAME_TOO_LONG);
}

static void too_long_message_is_reported_once(void **state) {
        struct frames frames = {.used = 0};
        size_t length;

        (void)state;
        assert_int_equal(receive_of_length(&frames, 5 * FRAME_MAX + 7, &length), FRAME_TOO_LONG);
        assert_none(&frames);
        receive(&frames, "next", 5);
        assert_message(&frames, "next");
}

static void longest_message_fits_after_another(void **state) {
        char *bytes = malloc(FRAME_MAX);
        struct frames frames = {.used = 0};
        size_t taken, length;
        char *message;

        (void)state;
        memset(bytes, 'y', FRAME_MAX);
        bytes[FRAME_MAX - 1] = '\0';
        receive(&frames, "one", 4);
        taken = offer(&frames, bytes, FRAME_MAX);
        assert_int_equal(taken, FRAME_MAX - 4);
        assert_message(&frames, "one");
        assert_none(&frames);
        receive(&frames, bytes + taken, FRAME_MAX - taken);
        assert_int_equal(frames_next(&frames, &message, &length), FRAME_MESSAGE);
        assert_int_equal(length, FRAME_MAX - 1);
        free(bytes);
}

static void half_message_shows_before_whole_ones_are_read(void **state) {
        struct frames frames = {.used = 0};

        (void)state;
        assert_false(frames_half(&frames));
        receive(&frames, "one", 4);
        assert_false(frames_half(&frames));
        receive(&frames, "tw", 2);
        assert_true(frames_half(&frames));
        assert_message(&frames, "one");
        assert_true(frames_half(&frames));
        receive(&frames, "o", 2);
        assert_message(&frames, "two");
        assert_false(frames_half(&frames));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(message_ends_at_its_nul),
                cmocka_unit_test(message_may_arrive_byte_by_byte),
                cmocka_unit_test(several_messages_in_one_read),
                cmocka_unit_test(nul_alone_is_no_message),
                cmocka_unit_test(message_has_at_most_16_kib),
                cmocka_unit_test(too_long_message_is_reported_once),
                cmocka_unit_test(longest_message_fits_after_another),
                cmocka_unit_test(half_message_shows_before_whole_ones_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
