/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/connect_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Made by ssh-keygen for this test; the private keys were discarded. */
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN"
#define CERTIFICATE "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"

/* The member at fault, or NULL, as a handler finds it. */
static const char *parse(const char *text, struct connect_request *ret) {
        json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
        static char name[128];
        const char *fault, *why = NULL;
        struct refused refused;

        if (!object)
                fail_msg("no JSON: %s", text);
        *ret = (struct connect_request)CONNECT_REQUEST_INIT;
        fault = json_dispatch(object, connect_request_fields, JSON_DISPATCH_REFUSE_UNKNOWN, ret, &refused);
        if (!fault) {
                fault = connect_request_complete(ret, &why);
                if (fault)
                        assert_non_null(why);
        }
        (void)snprintf(name, sizeof(name), "%s", fault ? fault : "");
        json_decref(object);
        return fault ? name : NULL;
}

static struct connect_request accepted(const char *text) {
        struct connect_request request;
        const char *fault = parse(text, &request);

        if (fault)
                fail_msg("%s is refused: %s", fault, text);
        return request;
}

static void assert_fault(const char *text, const char *member) {
        struct connect_request request;
        const char *fault = parse(text, &request);

        if (!fault || strcmp(fault, member) != 0)
                fail_msg("%s, not %s: %s", fault ? fault : "accepted", member, text);
}

static void server_key_is_the_default(void **state) {
        struct connect_request request = accepted("{\"vm_id\": \"42\"}");

        (void)state;
        assert_string_equal(request.vm_id, "42");
        assert_string_equal(request.user, "");
        assert_true(connect_request_pushes(&request));
        assert_false(request.has_key);
        assert_int_equal(request.connections, 1);
        assert_int_equal(request.ttl_s, 0);
        assert_int_equal(request.n_sources, 0);
        assert_int_equal(request.restricted, NAMED_NOT);
        assert_int_equal(accepted("{\"vm_id\": \"42\", \"connections\": 0}").connections, 0);
}

static void integer_id_is_its_decimal_form(void **state) {
        (void)state;
        assert_string_equal(accepted("{\"vm_id\": 0}").vm_id, "0");
        assert_string_equal(accepted("{\"vm_id\": 9007199254740991}").vm_id, "9007199254740991");
        assert_fault("{\"vm_id\": 9007199254740992}", "vm_id");
        assert_fault("{\"vm_id\": -1}", "vm_id");
        assert_fault("{\"vm_id\": 42.0}", "vm_id");
        assert_fault("{\"vm_id\": 42.5}", "vm_id");
        assert_fault("{\"vm_id\": true}", "vm_id");
        assert_fault("{\"vm_id\": null}", "vm_id");
        assert_fault("{\"vm_id\": [\"42\"]}", "vm_id");
        assert_fault("{}", "vm_id");
}

static void id_has_one_form(void **state) {
        static const char *const wrong[] = {"",    "A",       "-42", ".42",    "_a",
                                            "a/b", "a%2fb",   "4 2", "a\\n",   "42\\u00e9",
                                            "..",  "connect", "*",   "42\\\"", "'; DROP TABLE"};
        char text[256], longest[64 + 1];

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                (void)snprintf(text, sizeof(text), "{\"vm_id\": \"%s\"}", wrong[i]);
                assert_fault(text, "vm_id");
        }
        memset(longest, 'a', 64);
        longest[64] = '\0';
        (void)snprintf(text, sizeof(text), "{\"vm_id\": \"%s\"}", longest);
        assert_string_equal(accepted(text).vm_id, longest);
        (void)snprintf(text, sizeof(text), "{\"vm_id\": \"%sa\"}", longest);
        assert_fault(text, "vm_id");
        (void)accepted("{\"vm_id\": \"connect2\"}");
        (void)accepted("{\"vm_id\": \"0a.b_c-d\"}");
}

static void user_is_no_option_and_no_terminal_escape(void **state) {
        static const char *const wrong[] = {"",           "-",        "-oProxyCommand=id", "a\\nb", "a\\u0007",
                                            "\\u001b[2J", "a\\u007f", "a\\u0085b",         "\\r",   "a\\tb"};
        char text[512], longest[256 + 1];

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                (void)snprintf(text, sizeof(text), "{\"vm_id\": 1, \"user\": \"%s\"}", wrong[i]);
                assert_fault(text, "user");
        }
        memset(longest, 'a', 256);
        longest[256] = '\0';
        (void)snprintf(text, sizeof(text), "{\"vm_id\": 1, \"user\": \"%s\"}", longest);
        assert_string_equal(accepted(text).user, longest);
        (void)snprintf(text, sizeof(text), "{\"vm_id\": 1, \"user\": \"%sa\"}", longest);
        assert_fault(text, "user");
        assert_string_equal(accepted("{\"vm_id\": 1, \"user\": \"dana@corp.example\"}").user, "dana@corp.example");
        assert_string_equal(accepted("{\"vm_id\": 1, \"user\": \"J\\u00f8rn -x\"}").user, "J\xc3\xb8rn -x");
}

static void public_key_is_one_key(void **state) {
        static const char *const right[] = {KEY,       KEY " ann@laptop", KEY " a comment of words", "  " KEY,
                                            KEY "\\n", KEY " ann\\r\\n",  "\\t" KEY " \\t x"};
        static const char *const wrong[] = {
                "",
                "ssh-ed25519",
                "command=\\\"id\\\" " KEY,
                "restrict " KEY,
                "restrict,pty " KEY,
                "cert-authority " KEY,
                "@cert-authority * " KEY,
                "from=\\\"10.0.0.0/8\\\" " KEY,
                KEY "\\n" KEY,
                KEY " x\\n" KEY,
                "\\n" KEY,
                KEY " x\\n\\ncommand=\\\"id\\\" " KEY,
                CERTIFICATE,
                "ssh-dss AAAAB3NzaC1kc3MAAACBAA==",
                "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP_bZcixwskk-h2bh5uHuKUoZfIOieN",
                "-----BEGIN OPENSSH PRIVATE KEY-----",
        };
        char text[1024];

        (void)state;
        for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
                struct connect_request request;
                char key[SSH_KEY_TEXT_MAX];

                (void)snprintf(text, sizeof(text), "{\"vm_id\": 1, \"public_key\": \"%s\"}", right[i]);
                request = accepted(text);
                assert_true(request.has_key);
                ssh_key_to_text(&request.key, key);
                assert_string_equal(key, KEY);
        }
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                (void)snprintf(text, sizeof(text), "{\"vm_id\": 1, \"public_key\": \"%s\"}", wrong[i]);
                assert_fault(text, "public_key");
        }
        assert_fault("{\"vm_id\": 1, \"public_key\": null}", "public_key");
}

static void known_key_may_be_used_until_it_expires(void **state) {
        (void)state;
        assert_int_equal(accepted("{\"vm_id\": 1, \"public_key\": \"" KEY "\"}").connections, 0);
        assert_int_equal(accepted("{\"vm_id\": 1, \"public_key\": \"" KEY "\", \"connections\": 1}").connections, 1);
}

static void public_key_excludes_a_private_one(void **state) {
        (void)state;
        assert_fault("{\"vm_id\": 1, \"public_key\": \"" KEY "\", \"return_private_key\": true}", "return_private_key");
        assert_fault("{\"vm_id\": 1, \"public_key\": \"" KEY "\", \"return_private_key\": false}",
                     "return_private_key");
}

static void session_alone_pushes_nothing(void **state) {
        struct connect_request request = accepted("{\"vm_id\": 1, \"return_private_key\": false}");

        (void)state;
        assert_false(connect_request_pushes(&request));
        assert_fault("{\"vm_id\": 1, \"return_private_key\": false, \"connections\": 1}", "connections");
        assert_fault("{\"vm_id\": 1, \"return_private_key\": false, \"ttl\": 1}", "ttl");
        assert_fault("{\"vm_id\": 1, \"return_private_key\": false, \"source\": [\"192.0.2.1\"]}", "source");
        assert_fault("{\"vm_id\": 1, \"return_private_key\": false, \"restrict\": true}", "restrict");
}

static void numbers_have_ranges(void **state) {
        (void)state;
        assert_int_equal(accepted("{\"vm_id\": 1, \"connections\": 100}").connections, 100);
        assert_fault("{\"vm_id\": 1, \"connections\": 101}", "connections");
        assert_fault("{\"vm_id\": 1, \"connections\": -1}", "connections");
        assert_fault("{\"vm_id\": 1, \"connections\": \"1\"}", "connections");
        assert_int_equal(accepted("{\"vm_id\": 1, \"ttl\": 9223372036854775807}").ttl_s, INT64_MAX);
        assert_fault("{\"vm_id\": 1, \"ttl\": 0}", "ttl");
        assert_fault("{\"vm_id\": 1, \"ttl\": 60.5}", "ttl");
        assert_int_equal(accepted("{\"vm_id\": 1, \"restrict\": true}").restricted, NAMED_TRUE);
        assert_fault("{\"vm_id\": 1, \"restrict\": 1}", "restrict");
        assert_fault("{\"vm_id\": 1, \"return_private_key\": \"false\"}", "return_private_key");
}

static void sources_are_addresses_and_ranges(void **state) {
        static const char *const wrong[] = {"[]",
                                            "\"192.0.2.1\"",
                                            "[\"192.0.2.1/24\"]",
                                            "[1]",
                                            "[\"example\"]",
                                            "[\"::ffff:192.0.2.1\"]",
                                            "[\"fe80::1\"]",
                                            "[\"!192.0.2.1\"]",
                                            "[\"*\"]"};
        struct connect_request request =
                accepted("{\"vm_id\": 1, \"source\": [\"192.0.2.1\", \"2001:db8::/32\", \"10.0.0.0/8\"]}");
        char text[512];
        int n;

        (void)state;
        assert_int_equal(request.n_sources, 3);
        assert_int_equal(request.sources[1].prefix, 32);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                (void)snprintf(text, sizeof(text), "{\"vm_id\": 1, \"source\": %s}", wrong[i]);
                assert_fault(text, "source");
        }
        n = snprintf(text, sizeof(text), "{\"vm_id\": 1, \"source\": [");
        for (int i = 0; i < 17; i++)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\"10.0.0.%d\"", i ? "," : "", i);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "]}");
        assert_fault(text, "source");
}

static void unknown_members_are_named(void **state) {
        (void)state;
        assert_fault("{\"vm_id\": 1, \"User\": \"a\"}", "User");
        assert_fault("{\"vm_id\": 1, \"\": 1}", "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(server_key_is_the_default),
                cmocka_unit_test(integer_id_is_its_decimal_form),
                cmocka_unit_test(id_has_one_form),
                cmocka_unit_test(user_is_no_option_and_no_terminal_escape),
                cmocka_unit_test(public_key_is_one_key),
                cmocka_unit_test(known_key_may_be_used_until_it_expires),
                cmocka_unit_test(public_key_excludes_a_private_one),
                cmocka_unit_test(session_alone_pushes_nothing),
                cmocka_unit_test(numbers_have_ranges),
                cmocka_unit_test(sources_are_addresses_and_ranges),
                cmocka_unit_test(unknown_members_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
