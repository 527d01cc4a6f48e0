/* SPDX-License-Identifier: Apache-2.0 */
/* The authorized_keys line of a grant. */
#include "authkeys-helper/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

#define WALL_S INT64_C(1700000000) /* 2023-11-14 22:13:20 UTC */

static struct grant line_grant(void) {
        struct grant grant = {
                .user = "ada",
                .life = {{1000 * NS_PER_S, WALL_S * NS_PER_S}, 1060 * NS_PER_S, INT64_MAX, true},
                .key = scratch_key('A'),
                .principal = "nobody is to see this",
        };

        return grant;
}

static const struct instant line_now = {1000 * NS_PER_S, WALL_S *NS_PER_S};

#define KEY_TEXT "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n"

static void assert_line(const struct grant *grant, const struct instant *now, bool expiry_time, const char *expected) {
        char line[LOOKUP_LINE_MAX];
        size_t length;

        memset(line, 0x5a, sizeof(line));
        length = lookup_line(grant, now, expiry_time, line);
        assert_int_equal(length, strlen(expected));
        if (length > 0)
                assert_string_equal(line, expected);
}

static void line_is_built_from_typed_fields(void **state) {
        struct grant grant = line_grant();

        (void)state;
        assert_line(&grant, &line_now, false, KEY_TEXT);
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221420Z\" " KEY_TEXT);
        grant.restricted = true;
        assert_line(&grant, &line_now, false, "restrict,pty " KEY_TEXT);
        assert_line(&grant, &line_now, true, "restrict,pty,expiry-time=\"20231114221420Z\" " KEY_TEXT);
        grant.n_sources = 1;
        assert_true(source_from_text("192.0.2.0/24", &grant.sources[0]));
        assert_true(source_from_text("2001:db8::1", &grant.sources[1]));
        assert_line(&grant, &line_now, false, "restrict,pty,from=\"192.0.2.0/24\" " KEY_TEXT);
        grant.n_sources = 2;
        assert_line(&grant, &line_now, true,
                    "restrict,pty,from=\"192.0.2.0/24,2001:db8::1\",expiry-time=\"20231114221420Z\" " KEY_TEXT);
        grant.restricted = false;
        assert_line(&grant, &line_now, false, "from=\"192.0.2.0/24,2001:db8::1\" " KEY_TEXT);
        assert_line(&grant, &line_now, true,
                    "from=\"192.0.2.0/24,2001:db8::1\",expiry-time=\"20231114221420Z\" " KEY_TEXT);
}

/* In UTC whatever the time zone is, and by the end that comes first. */
static void expiry_time_is_the_second_of_the_end(void **state) {
        struct grant grant = line_grant();
        struct instant now = {1000 * NS_PER_S, WALL_S * NS_PER_S + NS_PER_S / 2};

        (void)state;
        assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221420Z\" " KEY_TEXT);
        assert_line(&grant, &now, true, "expiry-time=\"20231114221420Z\" " KEY_TEXT);
        now.wall_ns += NS_PER_S / 2;
        assert_line(&grant, &now, true, "expiry-time=\"20231114221421Z\" " KEY_TEXT);
        grant.life.wall_end_ns = (WALL_S + 30) * NS_PER_S + 999999999;
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221350Z\" " KEY_TEXT);
        grant.life.boot_end_ns = 1010 * NS_PER_S;
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221330Z\" " KEY_TEXT);
        assert_int_equal(unsetenv("TZ"), 0);
}

/* Against the C library's calendar: each day of 2023 to 2025, leap days of centuries, and the last second of all. */
static void expiry_time_agrees_with_the_calendar(void **state) {
        static const int64_t others[] = {0,          951782399,  951782400,  951868800,
                                         4107542399, 4107542400, 7289654399, 9223372036};
        struct grant grant = line_grant();

        (void)state;
        grant.life.synchronized = false;
        for (int64_t i = 0; i < 3 * 365 + (int64_t)(sizeof(others) / sizeof(others[0])); i++) {
                time_t end = i < 3 * 365 ? 1672531200 + i * 86400 + i * 79 : others[i - 3 * 365];
                struct instant now = {grant.life.received.boot_ns, end * NS_PER_S};
                char expected[64], line[LOOKUP_LINE_MAX];
                struct tm utc;

                grant.life.boot_end_ns = now.boot_ns + 1;
                assert_non_null(gmtime_r(&end, &utc));
                assert_true(strftime(expected, sizeof(expected), "expiry-time=\"%Y%m%d%H%M%SZ\" ", &utc) > 0);
                assert_true(lookup_line(&grant, &now, true, line) > 0);
                assert_memory_equal(line, expected, strlen(expected));
        }
}

static void expired_grant_has_no_line(void **state) {
        struct grant grant = line_grant();
        struct instant now = {1060 * NS_PER_S - 1, (WALL_S + 60) * NS_PER_S};

        (void)state;
        assert_line(&grant, &now, false, KEY_TEXT);
        now.boot_ns++;
        assert_line(&grant, &now, false, "");
        assert_line(&grant, &now, true, "");
        now.boot_ns = 1000 * NS_PER_S - 1;
        assert_line(&grant, &now, false, "");
}

static void overflowing_end_has_no_line(void **state) {
        struct grant grant = line_grant();

        (void)state;
        grant.life.boot_end_ns = INT64_MAX;
        assert_line(&grant, &line_now, false, KEY_TEXT);
        assert_line(&grant, &line_now, true, "");
}

static void longest_line_fits(void **state) {
        struct grant grant = line_grant();
        uint8_t raw[2048], modulus[1025];
        struct writer to = {.data = raw, .size = sizeof(raw)};
        char line[LOOKUP_LINE_MAX];
        size_t length;

        (void)state;
        memset(modulus, 0xff, sizeof(modulus));
        modulus[0] = 0;
        writer_text(&to, "ssh-rsa");
        writer_string(&to, "\0\xff\xff\xff\xff", 5);
        writer_string(&to, modulus, sizeof(modulus));
        assert_int_equal(ssh_key_from_blob(raw, to.used, &grant.key), SSH_KEY_OK);
        grant.restricted = true;
        grant.n_sources = GRANT_SOURCES_MAX;
        for (size_t i = 0; i < GRANT_SOURCES_MAX; i++)
                assert_true(source_from_text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", &grant.sources[i]));
        length = lookup_line(&grant, &line_now, true, line);
        assert_in_range(length, 2000, LOOKUP_LINE_MAX - 1);
        assert_int_equal(line[length - 1], '\n');
        assert_int_equal(line[length], '\0');
        assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_is_built_from_typed_fields),
                cmocka_unit_test(expiry_time_is_the_second_of_the_end),
                cmocka_unit_test(expiry_time_agrees_with_the_calendar),
                cmocka_unit_test(expired_grant_has_no_line),
                cmocka_unit_test(overflowing_end_has_no_line),
                cmocka_unit_test(longest_line_fits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
