/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lifetime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define BOOT (1000 * NS_PER_S)
#define WALL (1700000000 * NS_PER_S)

/* A minute on both clocks, received at BOOT and WALL. */
static const struct lifetime minute = {
        .received = {BOOT, WALL},
        .boot_end_ns = BOOT + 60 * NS_PER_S,
        .wall_end_ns = WALL + 60 * NS_PER_S,
        .synchronized = true,
};

static int64_t left_after(const struct lifetime *life, int64_t boot, int64_t wall) {
        struct instant now = {life->received.boot_ns + boot, life->received.wall_ns + wall};

        return lifetime_left_ns(life, &now);
}

static void key_is_live_from_its_receipt(void **state) {
        (void)state;
        assert_int_equal(left_after(&minute, 0, 0), 60 * NS_PER_S);
        assert_int_equal(left_after(&minute, 1, 1), 60 * NS_PER_S - 1);
}

static void boot_clock_ends_a_key_to_the_nanosecond(void **state) {
        struct lifetime life = minute;

        (void)state;
        life.wall_end_ns = INT64_MAX;
        assert_int_equal(left_after(&life, 60 * NS_PER_S - 1, 60 * NS_PER_S), 1);
        assert_int_equal(left_after(&life, 60 * NS_PER_S, 60 * NS_PER_S), 0);
        assert_int_equal(left_after(&life, 60 * NS_PER_S + 1, 60 * NS_PER_S), 0);
}

static void wall_clock_ends_a_key_to_the_nanosecond(void **state) {
        struct lifetime life = minute;

        (void)state;
        life.boot_end_ns = INT64_MAX;
        assert_int_equal(left_after(&life, 60 * NS_PER_S, 60 * NS_PER_S - 1), 1);
        assert_int_equal(left_after(&life, 60 * NS_PER_S, 60 * NS_PER_S), 0);
        assert_int_equal(left_after(&life, 60 * NS_PER_S, 60 * NS_PER_S + 1), 0);
}

static void nearer_end_counts(void **state) {
        struct lifetime life = minute;

        (void)state;
        life.wall_end_ns = WALL + 20 * NS_PER_S;
        assert_int_equal(left_after(&life, 5 * NS_PER_S, 5 * NS_PER_S), 15 * NS_PER_S);
        life = minute;
        life.boot_end_ns = BOOT + 10 * NS_PER_S;
        assert_int_equal(left_after(&life, 5 * NS_PER_S, 5 * NS_PER_S), 5 * NS_PER_S);
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 10 * NS_PER_S), 0);
}

static void int64_max_is_no_wall_clock_end(void **state) {
        struct lifetime life = minute;
        struct instant now = {BOOT + NS_PER_S, INT64_MAX};

        (void)state;
        life.wall_end_ns = INT64_MAX;
        life.synchronized = false;
        assert_int_equal(lifetime_left_ns(&life, &now), 59 * NS_PER_S);
        /* One nanosecond less is an end. */
        life.wall_end_ns = INT64_MAX - 1;
        assert_int_equal(lifetime_left_ns(&life, &now), 0);
}

static void key_from_the_future_is_expired(void **state) {
        struct lifetime life = minute;

        (void)state;
        assert_int_equal(left_after(&life, -1, 0), 0);
        assert_int_equal(left_after(&life, -1, -1), 0);
        assert_int_equal(left_after(&life, -BOOT, -BOOT), 0);
        life.synchronized = false;
        life.wall_end_ns = INT64_MAX;
        assert_int_equal(left_after(&life, -1, 0), 0);
}

static void drift_is_tolerated_up_to_two_seconds(void **state) {
        struct lifetime life = minute;

        (void)state;
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 12 * NS_PER_S), 48 * NS_PER_S);
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 12 * NS_PER_S + 1), 0);
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 8 * NS_PER_S), 50 * NS_PER_S);
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 8 * NS_PER_S - 1), 0);
        assert_int_equal(left_after(&life, 0, -2 * NS_PER_S), 60 * NS_PER_S);
        assert_int_equal(left_after(&life, 0, -2 * NS_PER_S - 1), 0);
        life.wall_end_ns = INT64_MAX;
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 12 * NS_PER_S + 1), 0);
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 8 * NS_PER_S - 1), 0);
}

static void drift_of_an_unsynchronized_clock_is_ignored(void **state) {
        struct lifetime life = minute;

        (void)state;
        life.synchronized = false;
        life.wall_end_ns = INT64_MAX;
        assert_int_equal(left_after(&life, 10 * NS_PER_S, 10000 * NS_PER_S), 50 * NS_PER_S);
        assert_int_equal(left_after(&life, 10 * NS_PER_S, -WALL), 50 * NS_PER_S);
}

static void overflow_is_expired(void **state) {
        static const struct {
                struct lifetime life;
                struct instant now;
        } cases[] = {
                {{{INT64_MIN, 0}, INT64_MAX, INT64_MAX, false}, {1, 0}},
                {{{0, INT64_MIN}, INT64_MAX, INT64_MAX, false}, {0, 1}},
                {{{0, INT64_MAX}, INT64_MAX, INT64_MAX, false}, {0, -2}},
                {{{0, 0}, INT64_MAX, INT64_MAX, false}, {3, INT64_MIN + 2}},
                {{{INT64_MIN, 0}, INT64_MAX, INT64_MAX, false}, {-1, 0}},
                {{{0, 0}, INT64_MAX, INT64_MIN, false}, {0, 1}},
                {{{0, 0}, INT64_MIN, INT64_MAX, true}, {1, 1}},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (lifetime_left_ns(&cases[i].life, &cases[i].now) != 0)
                        fail_msg("case %zu is alive", i);
}

static void largest_numbers_are_valid(void **state) {
        const struct lifetime life = {{0, 0}, INT64_MAX, INT64_MAX, true};
        const struct instant start = {0, 0}, end = {INT64_MAX, INT64_MAX}, last = {INT64_MAX - 1, INT64_MAX - 1};

        (void)state;
        assert_true(lifetime_left_ns(&life, &start) == INT64_MAX);
        assert_int_equal(lifetime_left_ns(&life, &last), 1);
        assert_int_equal(lifetime_left_ns(&life, &end), 0);
}

/* Large enough for every difference of two numbers. */
__extension__ typedef __int128 wide;

static bool fits(wide value) {
        return value >= INT64_MIN && value <= INT64_MAX;
}

/* The rules of the header in numbers that cannot overflow. */
static int64_t model(const struct lifetime *life, const struct instant *now) {
        wide boot = (wide)now->boot_ns - life->received.boot_ns;
        wide wall = (wide)now->wall_ns - life->received.wall_ns;
        wide drift = wall - boot, boot_left = (wide)life->boot_end_ns - now->boot_ns;
        wide wall_left = (wide)life->wall_end_ns - now->wall_ns;
        bool has_wall_end = life->wall_end_ns != INT64_MAX;

        if (boot < 0 || !fits(boot) || !fits(wall) || !fits(drift) || !fits(boot_left) ||
            (has_wall_end && !fits(wall_left)))
                return 0;
        if (life->synchronized && (drift < 0 ? -drift : drift) > 2 * NS_PER_S)
                return 0;
        if (boot_left <= 0 || (has_wall_end && wall_left <= 0))
                return 0;
        return (int64_t)(has_wall_end && wall_left < boot_left ? wall_left : boot_left);
}

static uint64_t next_random(uint64_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed;
}

/* Mostly near `base`, and often within nanoseconds of it. */
static int64_t near(uint64_t *seed, int64_t base) {
        static const int64_t steps[] = {
                0, 2 * NS_PER_S, -2 * NS_PER_S, NS_PER_S, 60 * NS_PER_S, 61 * NS_PER_S, 30 * NS_PER_S};
        uint64_t pick = next_random(seed);

        if (pick % 64 == 0)
                return (int64_t)next_random(seed);
        if (pick % 64 == 1)
                return (pick & 64) != 0 ? INT64_MAX - (int64_t)(pick >> 62) : INT64_MIN + (int64_t)(pick >> 62);
        return base + steps[(pick >> 8) % ELEMENTS(steps)] + (int64_t)((pick >> 16) % 5) - 2;
}

static void agrees_with_a_wide_model(void **state) {
        uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
        unsigned alive = 0, dead = 0;

        (void)state;
        for (unsigned i = 0; i < 20000; i++) {
                struct lifetime life = {
                        .received = {near(&seed, BOOT), near(&seed, WALL)},
                        .boot_end_ns = near(&seed, BOOT + 30 * NS_PER_S),
                        .wall_end_ns = next_random(&seed) % 3 == 0 ? INT64_MAX : near(&seed, WALL + 30 * NS_PER_S),
                        .synchronized = next_random(&seed) % 2 == 0,
                };
                struct instant now = {near(&seed, BOOT), near(&seed, WALL)};
                int64_t expected = model(&life, &now), left = lifetime_left_ns(&life, &now);

                if (left != expected)
                        fail_msg("round %u: %lld, the model says %lld", i, (long long)left, (long long)expected);
                if (left > 0)
                        alive++;
                else
                        dead++;
        }
        /* Both results must be frequent for this to prove anything. */
        assert_in_range(alive, 2000, 18000);
        assert_in_range(dead, 2000, 18000);
}

static void now_is_both_clocks(void **state) {
        struct timespec boot[2], wall[2];
        struct instant now;

        (void)state;
        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot[0]), 0);
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall[0]), 0);
        now = instant_now();
        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot[1]), 0);
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall[1]), 0);
        assert_true(now.boot_ns >= boot[0].tv_sec * NS_PER_S + boot[0].tv_nsec);
        assert_true(now.boot_ns <= boot[1].tv_sec * NS_PER_S + boot[1].tv_nsec);
        assert_true(now.wall_ns >= wall[0].tv_sec * NS_PER_S + wall[0].tv_nsec);
        assert_true(now.wall_ns <= wall[1].tv_sec * NS_PER_S + wall[1].tv_nsec);
}

static bool clock_set_after(const struct lifetime *life, int64_t boot, int64_t wall) {
        struct instant now = {life->received.boot_ns + boot, life->received.wall_ns + wall};

        return lifetime_clock_set(life, &now);
}

static void clock_that_was_set_is_not_time_that_is_over(void **state) {
        struct lifetime life = minute;

        (void)state;
        assert_false(clock_set_after(&life, NS_PER_S, NS_PER_S));
        assert_false(clock_set_after(&life, NS_PER_S, 3 * NS_PER_S));
        assert_true(clock_set_after(&life, NS_PER_S, 3 * NS_PER_S + 1));
        assert_true(clock_set_after(&life, NS_PER_S, -NS_PER_S - 1));
        assert_true(clock_set_after(&life, 60 * NS_PER_S - 1, 3600 * NS_PER_S));
        /* Its time is over in any case. */
        assert_false(clock_set_after(&life, 60 * NS_PER_S, 3600 * NS_PER_S));
        /* The wall clock is where it should be, and the push ends by it. */
        life.wall_end_ns = life.received.wall_ns + 20 * NS_PER_S;
        assert_false(clock_set_after(&life, 21 * NS_PER_S, 21 * NS_PER_S));
        assert_true(clock_set_after(&life, NS_PER_S, 21 * NS_PER_S));
        life.synchronized = false;
        assert_false(clock_set_after(&life, NS_PER_S, 3600 * NS_PER_S));
        /* Numbers of a damaged file. */
        life = minute;
        assert_false(clock_set_after(&life, -1, -1));
        life.received.wall_ns = INT64_MIN;
        assert_false(lifetime_clock_set(&life, &(struct instant){BOOT, WALL}));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clock_that_was_set_is_not_time_that_is_over),
                cmocka_unit_test(key_is_live_from_its_receipt),
                cmocka_unit_test(boot_clock_ends_a_key_to_the_nanosecond),
                cmocka_unit_test(wall_clock_ends_a_key_to_the_nanosecond),
                cmocka_unit_test(nearer_end_counts),
                cmocka_unit_test(int64_max_is_no_wall_clock_end),
                cmocka_unit_test(key_from_the_future_is_expired),
                cmocka_unit_test(drift_is_tolerated_up_to_two_seconds),
                cmocka_unit_test(drift_of_an_unsynchronized_clock_is_ignored),
                cmocka_unit_test(overflow_is_expired),
                cmocka_unit_test(largest_numbers_are_valid),
                cmocka_unit_test(agrees_with_a_wide_model),
                cmocka_unit_test(now_is_both_clocks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
