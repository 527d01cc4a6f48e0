/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of a signed payload. */
#include "tests/unit/payload_members.h"

static void number_over_64_bits_is_refused(void **state) {
        (void)state;
        set("x", "9223372036854775808");
        assert_int_equal(take_push(), REFUSAL_INVALID_PAYLOAD);
        set("x", "1e999");
        assert_int_equal(take_push(), REFUSAL_INVALID_PAYLOAD);
}

static void duplicate_name_is_refused_at_any_depth(void **state) {
        (void)state;
        add("user", "\"alice\"");
        assert_refused("");
        begin_push();
        add("\\u0075ser", "\"root\"");
        assert_refused("");
        begin_push();
        add("x", "1");
        add("x", "1");
        assert_refused("");
        begin_push();
        add("x", "{\"y\":{\"z\":1,\"z\":2}}");
        assert_refused("");
}

static void real_number_is_refused_at_any_depth(void **state) {
        static const char *const texts[] = {"1.5",     "1.0",         "1e2",       "-0.0",
                                            "[1,2.5]", "{\"y\":1E0}", "[[[0.1]]]", "{\"y\":{\"z\":[7.0]}}"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_member_refused("x", texts[i]);
        set("x", "[1,-2,{\"y\":3}]");
        assert_taken();
}

static void nesting_has_a_limit(void **state) {
        (void)state;
        set("x", "[[[1]]]");
        assert_taken();
        set("x", "{\"a\":{\"b\":{}}}");
        assert_taken();
        set("x", "[[[[]]]]");
        assert_refused("");
        set("x", "{\"a\":{\"b\":{\"c\":{}}}}");
        assert_refused("");
        set("x", "\"[[[[[[[[\"");
        assert_taken();
}

static void nul_and_bad_utf_8_are_refused(void **state) {
        static const char *const texts[] = {"\"a\\u0000b\"",    "\"\xff\"",    "\"\xc0\xaf\"",
                                            "\"\xed\xa0\x80\"", "\"\\ud800\"", "\"\xf4\x90\x80\x80\"",
                                            "\"\xc3\"",         "\"a\nb\""};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                begin_push();
                set("x", texts[i]);
                if (take_push() != REFUSAL_INVALID_PAYLOAD)
                        fail_msg("accepted: %zu", i);
                begin_push();
                set("user", texts[i]);
                if (take_push() != REFUSAL_INVALID_PAYLOAD)
                        fail_msg("accepted: %zu", i);
        }
        begin_push();
        add("a\\u0000b", "1");
        assert_refused("");
}

static void payload_must_be_an_object(void **state) {
        static const char *const texts[] = {"",           " ",           "null",    "1",   "\"a\"",          "[]",
                                            "[{}]",       "{",           "{}}",     "{}x", "\xef\xbb\xbf{}", "{'a':1}",
                                            "{\"a\":1,}", "{\"a\":NaN}", "// x\n{}"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                if (take_push_text(texts[i], strlen(texts[i])) != REFUSAL_INVALID_PAYLOAD)
                        fail_msg("accepted: %s", texts[i]);
                assert_string_equal(refused.field, "");
                assert_int_equal(take_revocation_text(texts[i], strlen(texts[i])), REFUSAL_INVALID_PAYLOAD);
        }
}

static void only_blanks_may_follow_the_payload(void **state) {
        char text[1024];
        size_t n = write_payload(text, sizeof(text));

        (void)state;
        assert_int_equal(take_push_text(text, n), REFUSAL_NONE);
        memcpy(text + n, " \n", 2);
        assert_int_equal(take_push_text(text, n + 2), REFUSAL_NONE);
        text[n] = '\0';
        assert_int_equal(take_push_text(text, n + 1), REFUSAL_INVALID_PAYLOAD);
        memcpy(text + n, "{}", 2);
        assert_int_equal(take_push_text(text, n + 2), REFUSAL_INVALID_PAYLOAD);
        for (size_t cut = 1; cut <= n; cut++)
                assert_int_equal(take_push_text(text, n - cut), REFUSAL_INVALID_PAYLOAD);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                PUSH(number_over_64_bits_is_refused),      PUSH(duplicate_name_is_refused_at_any_depth),
                PUSH(real_number_is_refused_at_any_depth), PUSH(nesting_has_a_limit),
                PUSH(nul_and_bad_utf_8_are_refused),       PUSH(payload_must_be_an_object),
                PUSH(only_blanks_may_follow_the_payload),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
