/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

/* Linked with --wrap=getrandom. */
static bool no_random;
static const uint8_t *random_bytes;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags) {
        if (no_random)
                return -1;
        if (!random_bytes)
                return __real_getrandom(buffer, size, flags);
        memcpy(buffer, random_bytes, size);
        return (ssize_t)size;
}

enum { NOW_S = 1800000000, UP_S = 86400 };

static struct freshness_challenge challenge;

static struct instant at(int64_t after_ns) {
        return (struct instant){.boot_ns = UP_S * NS_PER_S + after_ns, .wall_ns = NOW_S * NS_PER_S + after_ns};
}

/* CLOCK_BOOTTIME at which the memory of pushes was made. */
static int64_t birth_boot_ns;
static struct refused refused;

static enum refusal check(const struct terms *terms, struct instant now, bool synchronized) {
        struct freshness at = {.now = now, .synchronized = synchronized, .birth_boot_ns = birth_boot_ns};
        enum refusal r;

        refused = (struct refused){.why = REFUSAL_NONE};
        r = freshness_check(terms, &challenge, &at, &refused);

        assert_int_equal(refused.why, r);
        return r;
}

static enum refusal by_clock(int64_t iat_s, int64_t exp_s, struct instant now) {
        struct terms terms = {.iat_s = iat_s, .exp_s = exp_s};

        return check(&terms, now, true);
}

static enum refusal by_challenge(const char *text, struct instant now) {
        struct terms terms = {.iat_s = 0, .exp_s = 1, .has_challenge = true};

        (void)snprintf(terms.challenge, sizeof(terms.challenge), "%s", text);
        return check(&terms, now, false);
}

static int setup(void **state) {
        (void)state;
        memset(&challenge, 0, sizeof(challenge));
        no_random = false;
        random_bytes = NULL;
        birth_boot_ns = 0;
        return 0;
}

static void challenge_is_128_bits_in_base64url(void **state) {
        static const uint8_t bytes[16] = {0xfb, 0xff, 0xfe, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};

        (void)state;
        random_bytes = bytes;
        assert_true(freshness_make_challenge(&challenge, 7));
        assert_string_equal(challenge.text, "-__-AAECAwQFBgcICQoL_w");
        assert_int_equal(challenge.given_boot_ns, 7);
}

static void challenges_differ(void **state) {
        struct freshness_challenge other;

        (void)state;
        assert_true(freshness_make_challenge(&challenge, 0));
        assert_true(freshness_make_challenge(&other, 0));
        assert_int_equal(strlen(challenge.text), 22);
        assert_string_not_equal(challenge.text, other.text);
}

static void failed_getrandom_makes_no_challenge(void **state) {
        (void)state;
        no_random = true;
        assert_false(freshness_make_challenge(&challenge, 7));
        assert_string_equal(challenge.text, "");
        assert_int_equal(by_challenge("", at(0)), REFUSAL_STALE_CHALLENGE);
}

static void last_challenge_needs_no_clock(void **state) {
        struct instant in_1970 = {.boot_ns = UP_S * NS_PER_S, .wall_ns = 0};

        (void)state;
        assert_true(freshness_make_challenge(&challenge, in_1970.boot_ns));
        assert_int_equal(by_challenge(challenge.text, in_1970), REFUSAL_NONE);
}

static void matching_challenge_is_used_up(void **state) {
        char text[FRESHNESS_CHALLENGE_MAX];

        (void)state;
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        memcpy(text, challenge.text, sizeof(text));
        assert_int_equal(by_challenge(text, at(0)), REFUSAL_NONE);
        assert_int_equal(by_challenge(text, at(0)), REFUSAL_STALE_CHALLENGE);
        assert_int_equal(by_challenge("", at(0)), REFUSAL_STALE_CHALLENGE);
}

static void other_challenge_leaves_it_unused(void **state) {
        char text[FRESHNESS_CHALLENGE_MAX], cut[FRESHNESS_CHALLENGE_MAX];

        (void)state;
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        memcpy(text, challenge.text, sizeof(text));
        memcpy(cut, text, sizeof(cut));
        cut[strlen(cut) - 1] = '\0';
        assert_int_equal(by_challenge("AAAAAAAAAAAAAAAAAAAAAA", at(0)), REFUSAL_STALE_CHALLENGE);
        assert_int_equal(by_challenge("", at(0)), REFUSAL_STALE_CHALLENGE);
        assert_int_equal(by_challenge(cut, at(0)), REFUSAL_STALE_CHALLENGE);
        assert_int_equal(by_challenge(text, at(0)), REFUSAL_NONE);
}

static void challenge_of_earlier_hello_is_stale(void **state) {
        char text[FRESHNESS_CHALLENGE_MAX];

        (void)state;
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        memcpy(text, challenge.text, sizeof(text));
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        assert_int_equal(by_challenge(text, at(0)), REFUSAL_STALE_CHALLENGE);
        assert_int_equal(by_challenge(challenge.text, at(0)), REFUSAL_NONE);
}

static void challenge_without_hello_is_stale(void **state) {
        (void)state;
        assert_int_equal(by_challenge("", at(0)), REFUSAL_STALE_CHALLENGE);
        assert_int_equal(by_challenge("AAAAAAAAAAAAAAAAAAAAAA", at(0)), REFUSAL_STALE_CHALLENGE);
}

static void challenge_lives_120_seconds_of_boot_time(void **state) {
        struct instant now = at(120 * NS_PER_S);

        (void)state;
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        now.wall_ns = 0;
        assert_int_equal(by_challenge(challenge.text, now), REFUSAL_NONE);
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        now.boot_ns++;
        assert_int_equal(by_challenge(challenge.text, now), REFUSAL_STALE_CHALLENGE);
}

static void push_is_valid_from_30_seconds_before_iat(void **state) {
        (void)state;
        assert_int_equal(by_clock(NOW_S, NOW_S + 60, at(0)), REFUSAL_NONE);
        assert_int_equal(by_clock(NOW_S + 30, NOW_S + 60, at(0)), REFUSAL_NONE);
        assert_int_equal(by_clock(NOW_S + 31, NOW_S + 60, at(0)), REFUSAL_NOT_YET_VALID);
        assert_int_equal(by_clock(NOW_S + 30, NOW_S + 60, at(-1)), REFUSAL_NOT_YET_VALID);
        assert_int_equal(by_clock(INT64_C(1) << 40, (INT64_C(1) << 40) + 1, at(0)), REFUSAL_NOT_YET_VALID);
}

static void push_is_valid_until_exp(void **state) {
        (void)state;
        assert_int_equal(by_clock(NOW_S - 60, NOW_S, at(-1)), REFUSAL_NONE);
        assert_int_equal(by_clock(NOW_S - 60, NOW_S, at(0)), REFUSAL_EXPIRED);
        assert_int_equal(by_clock(NOW_S - 60, NOW_S - 1, at(0)), REFUSAL_EXPIRED);
        assert_int_equal(by_clock(0, 1, at(0)), REFUSAL_EXPIRED);
}

/* This machine booted at NOW_S - UP_S, and the memory of pushes began with it. */
static void push_from_before_boot_is_expired(void **state) {
        struct instant now = at(0);

        (void)state;
        now.boot_ns = 100 * NS_PER_S;
        assert_int_equal(by_clock(NOW_S - 70, NOW_S + 60, now), REFUSAL_NONE);
        assert_int_equal(by_clock(NOW_S - 71, NOW_S + 60, now), REFUSAL_EXPIRED);
        now.boot_ns--;
        assert_int_equal(by_clock(NOW_S - 70, NOW_S + 60, now), REFUSAL_EXPIRED);
        assert_int_equal(by_clock(NOW_S - 69, NOW_S + 60, now), REFUSAL_NONE);
}

static void push_must_be_30_seconds_after_boot(void **state) {
        struct instant now = at(0);

        (void)state;
        now.boot_ns = 10 * NS_PER_S;
        assert_int_equal(by_clock(NOW_S, NOW_S + 60, now), REFUSAL_EXPIRED);
        assert_int_equal(by_clock(NOW_S + 20, NOW_S + 60, now), REFUSAL_NONE);
}

static void push_from_before_memory_is_expired(void **state) {
        (void)state;
        birth_boot_ns = at(-100 * NS_PER_S).boot_ns;
        assert_int_equal(by_clock(NOW_S - 70, NOW_S + 60, at(0)), REFUSAL_NONE);
        assert_int_equal(by_clock(NOW_S - 71, NOW_S + 60, at(0)), REFUSAL_EXPIRED);
        assert_non_null(strstr(refused.message, "100 s ago"));
        assert_non_null(strstr(refused.message, "sign the challenge"));
        birth_boot_ns++;
        assert_int_equal(by_clock(NOW_S - 70, NOW_S + 60, at(0)), REFUSAL_EXPIRED);
}

static void memory_does_not_bound_challenge(void **state) {
        (void)state;
        birth_boot_ns = at(0).boot_ns;
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        assert_int_equal(by_challenge(challenge.text, at(0)), REFUSAL_NONE);
}

static void unsynchronized_clock_is_not_used(void **state) {
        struct terms terms = {.iat_s = NOW_S, .exp_s = NOW_S + 60};

        (void)state;
        assert_int_equal(check(&terms, at(0), false), REFUSAL_CLOCK_UNSYNCHRONIZED);
        terms = (struct terms){.iat_s = 0, .exp_s = 1};
        assert_int_equal(check(&terms, at(0), false), REFUSAL_CLOCK_UNSYNCHRONIZED);
}

static void push_by_clock_leaves_challenge_unused(void **state) {
        char text[FRESHNESS_CHALLENGE_MAX];

        (void)state;
        assert_true(freshness_make_challenge(&challenge, at(0).boot_ns));
        memcpy(text, challenge.text, sizeof(text));
        assert_int_equal(by_clock(NOW_S, NOW_S + 60, at(0)), REFUSAL_NONE);
        assert_int_equal(by_challenge(text, at(0)), REFUSAL_NONE);
}

static void valid_times_do_not_replace_challenge(void **state) {
        struct terms terms = {.iat_s = NOW_S, .exp_s = NOW_S + 60, .has_challenge = true};

        (void)state;
        assert_int_equal(check(&terms, at(0), true), REFUSAL_STALE_CHALLENGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(challenge_is_128_bits_in_base64url, setup),
                cmocka_unit_test_setup(challenges_differ, setup),
                cmocka_unit_test_setup(failed_getrandom_makes_no_challenge, setup),
                cmocka_unit_test_setup(last_challenge_needs_no_clock, setup),
                cmocka_unit_test_setup(matching_challenge_is_used_up, setup),
                cmocka_unit_test_setup(other_challenge_leaves_it_unused, setup),
                cmocka_unit_test_setup(challenge_of_earlier_hello_is_stale, setup),
                cmocka_unit_test_setup(challenge_without_hello_is_stale, setup),
                cmocka_unit_test_setup(challenge_lives_120_seconds_of_boot_time, setup),
                cmocka_unit_test_setup(push_is_valid_from_30_seconds_before_iat, setup),
                cmocka_unit_test_setup(push_is_valid_until_exp, setup),
                cmocka_unit_test_setup(push_from_before_boot_is_expired, setup),
                cmocka_unit_test_setup(push_must_be_30_seconds_after_boot, setup),
                cmocka_unit_test_setup(push_from_before_memory_is_expired, setup),
                cmocka_unit_test_setup(memory_does_not_bound_challenge, setup),
                cmocka_unit_test_setup(unsynchronized_clock_is_not_used, setup),
                cmocka_unit_test_setup(push_by_clock_leaves_challenge_unused, setup),
                cmocka_unit_test_setup(valid_times_do_not_replace_challenge, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
