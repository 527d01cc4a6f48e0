/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/log_since.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* 2026-06-15 12:30:45 in Vienna, two hours ahead of UTC. */
#define NOW_S INT64_C(1781519445)
#define US_PER_S INT64_C(1000000)

static int in_vienna(void **state) {
        (void)state;
        if (setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1) < 0)
                return -1;
        tzset();
        return 0;
}

static void is(const char *text, int64_t expected_s) {
        int64_t us = -1;

        if (!log_since(text, NOW_S * US_PER_S, &us))
                fail_msg("not understood: %s", text);
        if (us != expected_s * US_PER_S)
                fail_msg("%s is %lld and not %lld", text, (long long)(us / US_PER_S), (long long)expected_s);
}

static void is_none(const char *text) {
        int64_t us = -1;

        if (log_since(text, NOW_S * US_PER_S, &us))
                fail_msg("understood: %s", text);
        assert_int_equal(us, -1);
}

static void a_date_begins_at_local_midnight(void **state) {
        (void)state;
        is("2026-06-15", NOW_S - (12 * 3600 + 30 * 60 + 45));
        is("2026-01-31", 1769814000);
        is("2026-01-31 UTC", 1769817600);
        is("2026-01-31Z", 1769817600);
}

static void a_time_has_seconds_or_not(void **state) {
        (void)state;
        is("2026-06-15 12:30:45", NOW_S);
        is("2026-06-15T12:30:45", NOW_S);
        is("2026-06-15 12:30", NOW_S - 45);
        is("2026-06-15 10:30:45 UTC", NOW_S);
        is("2026-06-15T10:30:45Z", NOW_S);
        is("12:30", NOW_S - 45);
        is("00:00:00", NOW_S - (12 * 3600 + 30 * 60 + 45));
}

static void words_stand_for_days(void **state) {
        (void)state;
        is("now", NOW_S);
        is("today", NOW_S - (12 * 3600 + 30 * 60 + 45));
        is("yesterday", NOW_S - (36 * 3600 + 30 * 60 + 45));
}

static void an_age_is_counted_back_from_now(void **state) {
        (void)state;
        is("-1h", NOW_S - 3600);
        is("-90s", NOW_S - 90);
        is("-1h30min", NOW_S - 5400);
        is("-1h 30 min", NOW_S - 5400);
        is("1 hour ago", NOW_S - 3600);
        is("2 days ago", NOW_S - 172800);
        is("1week ago", NOW_S - 604800);
        is("-0s", NOW_S);
        is("-99999w", 0);
}

static void seconds_since_1970_are_taken_as_they_are(void **state) {
        (void)state;
        is("@0", 0);
        is("@1781519445", NOW_S);
}

static void what_has_not_been_is_no_time_since(void **state) {
        (void)state;
        is_none("@1781519446");
        is_none("12:31");
        is_none("2099-01-01");
}

static void all_else_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "later",
                "-",
                "-1",
                "-1x",
                "-h",
                "1h",
                "1h before",
                "ago",
                "-1h ago",
                "@",
                "@-1",
                "@1.5",
                "@1 ",
                "@9999999999999",
                "2026",
                "2026-06",
                "2026-6-15",
                "2026-02-30",
                "2026-13-01",
                "2026-00-01",
                "2026-06-00",
                "1969-12-31",
                "2026-06-15 ",
                "2026-06-15 24:00",
                "2026-06-15 12:60",
                "2026-06-15 12:30:60",
                "2026-06-15 1:30",
                "12:30Z",
                "2026-06-15 12:30 CET",
                "2026-06-15x12:30",
                " today",
                "Today",
                "-9999999999s",
                "-999999999w",
                "\xff",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                is_none(texts[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_date_begins_at_local_midnight),
                cmocka_unit_test(a_time_has_seconds_or_not),
                cmocka_unit_test(words_stand_for_days),
                cmocka_unit_test(an_age_is_counted_back_from_now),
                cmocka_unit_test(seconds_since_1970_are_taken_as_they_are),
                cmocka_unit_test(what_has_not_been_is_no_time_since),
                cmocka_unit_test(all_else_is_refused),
        };

        return cmocka_run_group_tests(tests, in_vienna, NULL);
}
