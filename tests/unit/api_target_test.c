/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct request_target target;

static bool parses(const char *text) {
        const char *why = NULL;
        bool ok = target_parse(text, &target, &why);

        if (!ok)
                assert_non_null(why);
        return ok;
}

static void segments_are_split_and_decoded_once(void **state) {
        (void)state;
        assert_true(parses("/compute/instance/42"));
        assert_int_equal(target.n_segments, 3);
        assert_int_equal(target.n_queries, 0);
        assert_string_equal(target.segment[0], "compute");
        assert_string_equal(target.segment[2], "42");
        assert_true(parses("/a%2db/%2541"));
        assert_string_equal(target.segment[0], "a-b");
        assert_string_equal(target.segment[1], "%41");
        assert_true(parses("/"));
        assert_int_equal(target.n_segments, 0);
        assert_true(parses("/..a/.../a.."));
        assert_string_equal(target.segment[1], "...");
}

static void path_that_can_be_read_in_two_ways_is_refused(void **state) {
        static const char *const refused[] = {
                "",           "compute",    "*",          "http://host/healthz",
                "//",         "/a/",        "/a//b",      "//a",
                "/.",         "/a/./b",     "/a/../b",    "/%2e",
                "/%2e%2E/a",  "/a%2Fb",     "/a%2fb",     "/a%00",
                "/a%00b",     "/a%0a",      "/a%7f",      "/a%",
                "/a%4",       "/a%4g",      "/a%g4",      "/a b",
                "/a\tb",      "/a\x7f",     "/a\xc3\xa9", "/a%c3%a9",
                "/a%ff",      "/a#b",       "/a?b#c",     "/1/2/3/4/5/6/7",
                "/a/%2e%2e/", "/a%2F..%2F",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                if (parses(refused[i]))
                        fail_msg("%s is taken", refused[i]);
}

static void query_is_decoded_and_never_twice(void **state) {
        (void)state;
        assert_true(parses("/a?name=b%20c%2Fd&limit=&x"));
        assert_int_equal(target.n_queries, 3);
        assert_string_equal(target.query[0].name, "name");
        assert_string_equal(target.query[0].value, "b c/d");
        assert_string_equal(target.query[1].value, "");
        assert_string_equal(target.query[2].name, "x");
        assert_string_equal(target.query[2].value, "");
        assert_true(parses("/a?n=a=b+c"));
        assert_string_equal(target.query[0].value, "a=b+c");
        assert_true(parses("/a?n=%c3%a9"));
        assert_string_equal(target.query[0].value, "\xc3\xa9");
        assert_false(parses("/a?"));
        assert_false(parses("/a?=b"));
        assert_false(parses("/a?a=1&&b=2"));
        assert_false(parses("/a?a=1&a=2"));
        assert_false(parses("/a?a=1&%61=2"));
        assert_false(parses("/a?a=%ff"));
        assert_false(parses("/a?a=%00"));
        assert_false(parses("/a?1&2&3&4&5&6&7&8&9"));
}

static void lengths_are_limited(void **state) {
        char text[REQUEST_TARGET_MAX + 8];

        (void)state;
        memset(text, 'a', sizeof(text));
        text[0] = '/';
        text[REQUEST_SEGMENT_MAX] = '\0';
        assert_true(parses(text)); /* a slash and 256 */
        text[REQUEST_SEGMENT_MAX] = 'a';
        text[REQUEST_SEGMENT_MAX + 1] = '\0';
        assert_false(parses(text));
        memset(text, 'a', sizeof(text));
        memcpy(text, "/a?b=", 5);
        text[5 + REQUEST_SEGMENT_MAX - 1] = '\0';
        assert_true(parses(text));
        memset(text, 'a', sizeof(text));
        memcpy(text, "/a?b=", 5);
        text[5 + REQUEST_SEGMENT_MAX] = '\0';
        assert_false(parses(text));
        memset(text, 'a', sizeof(text));
        text[0] = '/';
        text[sizeof(text) - 1] = '\0';
        assert_false(parses(text));
        /* Short segments, and too long as a whole only where it does not end. */
        for (size_t i = 0; i + 1 < sizeof(text); i++)
                text[i] = i == 2 ? '?' : 'a';
        text[0] = '/';
        assert_false(parses(text));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(segments_are_split_and_decoded_once),
                cmocka_unit_test(path_that_can_be_read_in_two_ways_is_refused),
                cmocka_unit_test(query_is_decoded_and_never_twice),
                cmocka_unit_test(lengths_are_limited),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
