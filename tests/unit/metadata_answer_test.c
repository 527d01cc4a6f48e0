/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/metadata/cases.py shows of whole answers, here of the parsers alone: limits and their neighbours. */
#include "metadata/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTapa"

static char why[ANSWER_WHY_MAX];

/* Memory of exactly that size: the sanitizer sees a read past its end. */
static char *copy_of(const char *text, size_t length) {
        char *copy = malloc(length > 0 ? length : 1);

        assert_non_null(copy);
        memcpy(copy, text, length);
        return copy;
}

static bool take_list(const char *text, bool *ret) {
        char *body = copy_of(text, strlen(text));
        bool ok = answer_take_list(body, strlen(text), ret, why);

        free(body);
        return ok;
}

static bool take_index(const char *text, struct answer_index *ret) {
        char *body = copy_of(text, strlen(text));
        bool ok = answer_take_index(body, strlen(text), ret, why);

        free(body);
        return ok;
}

static bool take_keys(const char *text, size_t length, struct answer_keys *keys) {
        char *body = copy_of(text, length);
        bool ok = answer_take_keys(body, length, keys, why);

        free(body);
        return ok;
}

static void list_says_whether_there_are_keys(void **state) {
        bool keys;

        (void)state;
        assert_true(take_list("ami-id\ninstance-id\npublic-keys/\n", &keys) && keys);
        assert_true(take_list("instance-id\r\npublic-keys", &keys) && keys);
        assert_true(take_list("\ninstance-id\n\n", &keys) && !keys);
        assert_true(take_list("instance-id\npublic-keys2/\nx-public-keys\n", &keys) && !keys);
}

static void list_without_an_id_or_with_other_text_is_none(void **state) {
        static const char *const wrong[] = {"",
                                            "\n",
                                            "public-keys/\n",
                                            "instance-id/\n",
                                            "instance-ids\n",
                                            "instance-id\n/\n",
                                            "instance-id\na//\n",
                                            "instance-id\na b\n",
                                            "instance-id\n<p>\n",
                                            "instance-id\na/b\n",
                                            "instance-id \n"};
        bool keys;

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (take_list(wrong[i], &keys))
                        fail_msg("%s", wrong[i]);
}

static void index_has_numbers(void **state) {
        struct answer_index index;

        (void)state;
        assert_true(take_index("0=my-key\n12=other=key\r\n999=x", &index));
        assert_int_equal(index.n, 3);
        assert_int_equal(index.number[0], 0);
        assert_int_equal(index.number[1], 12);
        assert_int_equal(index.number[2], 999);
        assert_true(take_index("", &index));
        assert_int_equal(index.n, 0);
        assert_true(take_index("0=", &index));
        assert_int_equal(index.n, 1);
}

static void index_of_another_form_is_none(void **state) {
        static const char *const wrong[] = {"0",        "=x",   "x=0",  "01=x",  "1000=x", "0=a\n\n1=b",   "0=a b",
                                            "0=a\n0=b", " 0=x", "+1=x", "0x1=y", "1=\tx",  "4294967296=x", "/0=x"};
        struct answer_index index;
        char many[512] = "";

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (take_index(wrong[i], &index))
                        fail_msg("%s", wrong[i]);
        for (int i = 0; i < ANSWER_KEYS_MAX; i++)
                (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "%d=k\n", i);
        assert_true(take_index(many, &index));
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "100=k\n");
        assert_false(take_index(many, &index));
}

static void keys_add_up(void **state) {
        static const char text[] = KEY_A " one\n" KEY_A "\n\t" KEY_B " two\r\n";
        struct answer_keys keys = {.n = 0};

        (void)state;
        assert_true(take_keys(text, sizeof(text) - 1, &keys));
        assert_int_equal(keys.n, 2);
        assert_true(take_keys(KEY_B, strlen(KEY_B), &keys));
        assert_int_equal(keys.n, 2);
        assert_int_equal(keys.n_left_out, 0);
}

static void key_of_another_kind_is_left_out(void **state) {
        static const struct {
                const char *line;
                enum ssh_key_fault fault;
        } cases[] = {
                {"ssh-dss AAAAB3NzaC1kc3MAAACB", SSH_KEY_FAULT_DSS},
                {"no-pty " KEY_A, SSH_KEY_FAULT_OPTIONS},
                {"command=\"a b\",no-pty " KEY_A, SSH_KEY_FAULT_OPTIONS},
                {"ssh-ed25519-cert-v01@openssh.com AAAAIHNz", SSH_KEY_FAULT_CERTIFICATE},
                {"ssh-new AAAAB3Nz comment", SSH_KEY_FAULT_TYPE},
                {"ssh-ed25519 AAAA", SSH_KEY_FAULT_TRUNCATED},
                {"ssh-ed25519 <html>", SSH_KEY_FAULT_BASE64},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct answer_keys keys = {.n = 0};
                char text[512];

                (void)snprintf(text, sizeof(text), "%s\n" KEY_B "\n", cases[i].line);
                if (!take_keys(text, strlen(text), &keys) || keys.n != 1 || keys.n_left_out != 1 ||
                    keys.left_out != cases[i].fault)
                        fail_msg("%s: %s", cases[i].line, ssh_key_fault_text(keys.left_out));
        }
}

static void line_that_is_no_key_spoils_the_answer(void **state) {
        static const char *const wrong[] = {
                "x",           "<html>",           "<p>Not found</p>", "Service Unavailable", "# comment",
                "ssh-ed25519", "Ssh-New AAAAB3Nz", "ssh-new BBBB",     "ssh-ed25519\tAAAA",   "\x01",
                "a\x80 AAAA"};

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct answer_keys keys = {.n = 0};
                char text[512];

                (void)snprintf(text, sizeof(text), KEY_B "\n%s\n", wrong[i]);
                if (take_keys(text, strlen(text), &keys))
                        fail_msg("%s", wrong[i]);
                assert_string_equal(why, "line 2: expected a public key");
        }
}

static void token_is_one_line(void **state) {
        char longest[HTTP_TOKEN_MAX], token[HTTP_TOKEN_MAX];

        (void)state;
        assert_true(answer_take_token("AQAEAL==\n", 9, token, why));
        assert_string_equal(token, "AQAEAL==");
        assert_false(answer_take_token("", 0, token, why));
        assert_false(answer_take_token("\n", 1, token, why));
        assert_false(answer_take_token("a\0b", 3, token, why));
        assert_false(answer_take_token("a\r\nb", 4, token, why));
        memset(longest, 'a', sizeof(longest));
        assert_true(answer_take_token(longest, sizeof(longest) - 1, token, why));
        assert_false(answer_take_token(longest, sizeof(longest), token, why));
}

static void id_is_one_line_in_its_form(void **state) {
        char id[METADATA_INSTANCE_ID_MAX] = "before";

        (void)state;
        assert_false(answer_take_instance_id(METADATA_EC2, "i-0000002a\ni-0000002b", 21, id, why));
        assert_false(answer_take_instance_id(METADATA_EC2, "web1", 4, id, why));
        assert_false(answer_take_instance_id(METADATA_EC2, "i-0000002a\0", 11, id, why));
        assert_string_equal(id, "before");
        assert_true(answer_take_instance_id(METADATA_EC2, "i-0000002a\r\n", 12, id, why));
        assert_string_equal(id, "i-0000002a");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_says_whether_there_are_keys),
                cmocka_unit_test(list_without_an_id_or_with_other_text_is_none),
                cmocka_unit_test(index_has_numbers),
                cmocka_unit_test(index_of_another_form_is_none),
                cmocka_unit_test(keys_add_up),
                cmocka_unit_test(key_of_another_kind_is_left_out),
                cmocka_unit_test(line_that_is_no_key_spoils_the_answer),
                cmocka_unit_test(token_is_one_line),
                cmocka_unit_test(id_is_one_line_in_its_form),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
