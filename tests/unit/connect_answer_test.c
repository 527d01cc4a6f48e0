/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/connect_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/json.h"

/* Made by ssh-keygen for this test. */
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM9+NoPnt44Z4ARqSzHv63pEKTh11sE1jX3pxcB7IwiW"
#define FINGERPRINT "SHA256:Zg2obfO/4+HbmZwt1bHPXIPoJJjdQMy02w4eAm+o74s"
#define BODY                                                                                                           \
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\\n"                                    \
        "QyNTUxOQAAACDPfjaD57eOGeAEaksx7+t6RCk4ddbBNY196cXAeyMIlgAAAIhvkRS8b5EU\\n"                                    \
        "vAAAAAtzc2gtZWQyNTUxOQAAACDPfjaD57eOGeAEaksx7+t6RCk4ddbBNY196cXAeyMIlg\\n"                                    \
        "AAAEDMuKcHItGG7un/jcabX/6+b1Lx0hNGRMOsed5Vid3tcM9+NoPnt44Z4ARqSzHv63pE\\n"                                    \
        "KTh11sE1jX3pxcB7IwiWAAAAAAECAwQF\\n"
#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\\n"
#define END "-----END OPENSSH PRIVATE KEY-----\\n"
#define OTHER "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape"
#define HOST_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN"
#define CERTIFICATE "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"

static const char honest[] =
        "{\"id\": \"cs_x\", \"vm_id\": \"42\", \"user\": \"ubuntu\", \"private_key\": null, \"public_key\": \"" KEY
        "\", \"fingerprint\": \"" FINGERPRINT "\", \"expires_at\": \"2026-01-31T12:00:00Z\", \"connections\": 1, "
        "\"known_hosts\": [\"exc-vm-42 " HOST_KEY "\"], \"host_keys_changed\": false, \"addresses\": {\"public_ipv4\": "
        "\"192.0.2.7\", \"private_ipv4\": \"10.0.0.7\", \"ipv6\": \"2001:DB8:0::7\", \"port\": 2222}, \"tunnel\": "
        "false, "
        "\"request_id\": \"req-1\", \"from_a_newer_server\": {\"a\": 1}}";

static json_t *parsed(const char *text) {
        json_t *object = json_read(text, strlen(text), 8);

        if (!object)
                fail_msg("no JSON: %s", text);
        return object;
}

/* The member at fault, or NULL. `change`: members that replace those of the honest answer. */
static const char *take(const char *change, bool sent, struct connect_answer *ret) {
        json_t *object = parsed(honest), *changed = parsed(change);
        struct ssh_key key;
        struct connect_asked asked = {.vm_id = "42", .key = sent ? &key : NULL};
        static struct refused refused;
        bool ok;

        assert_int_equal(ssh_key_from_text(KEY, strlen(KEY), &key), SSH_KEY_OK);
        assert_int_equal(json_object_update(object, changed), 0);
        refused.field[0] = '\0';
        ok = connect_answer_take(object, &asked, ret, &refused);
        json_decref(object);
        json_decref(changed);
        return ok ? NULL : refused.field;
}

static void assert_fault(const char *change, bool sent, const char *member) {
        struct connect_answer answer;
        const char *fault = take(change, sent, &answer);

        connect_answer_wipe(&answer);
        if (!fault || strcmp(fault, member) != 0)
                fail_msg("%s, not %s: %s", fault ? fault : "accepted", member, change);
}

static void honest_answer_is_taken(void **state) {
        struct connect_answer answer;

        (void)state;
        assert_null(take("{}", true, &answer));
        assert_string_equal(answer.vm_id, "42");
        assert_string_equal(answer.user, "ubuntu");
        assert_string_equal(answer.fingerprint, FINGERPRINT);
        assert_null(answer.pair.private_half);
        assert_int_equal(answer.expires_at, 1769860800);
        assert_int_equal(answer.connections, 1);
        assert_int_equal(answer.n_host_keys, 1);
        assert_false(answer.host_keys_changed);
        assert_false(answer.tunnel);
        assert_string_equal(answer.address[CONNECT_PUBLIC_IPV4], "192.0.2.7");
        assert_string_equal(answer.address[CONNECT_PRIVATE_IPV4], "10.0.0.7");
        assert_string_equal(answer.address[CONNECT_IPV6], "2001:db8::7");
        assert_int_equal(answer.port, 2222);
        assert_string_equal(answer.request_id, "req-1");
        assert_null(
                take("{\"addresses\": {\"public_ipv4\": null, \"port\": null}, \"tunnel\": true, \"request_id\": null}",
                     true, &answer));
        assert_string_equal(answer.address[CONNECT_PUBLIC_IPV4], "");
        assert_int_equal(answer.port, 22);
        assert_true(answer.tunnel);
        assert_null(take("{\"known_hosts\": []}", true, &answer));
        assert_int_equal(answer.n_host_keys, 0);
        assert_string_equal(connect_address_name(CONNECT_PRIVATE_IPV4), "private_ipv4");
}

static void key_of_the_server_belongs_together(void **state) {
        struct connect_answer answer;

        (void)state;
        assert_null(take("{\"private_key\": \"" BEGIN BODY END "\"}", false, &answer));
        assert_non_null(answer.pair.private_half);
        connect_answer_wipe(&answer);
        assert_null(answer.pair.private_half);
        assert_fault("{\"private_key\": null}", false, "private_key");
        assert_fault("{\"private_key\": \"" BEGIN BODY END "\", \"public_key\": \"" OTHER "\"}", false, "public_key");
        assert_fault("{\"private_key\": \"" BEGIN BODY END "\"}", true, "private_key");
}

static void private_key_is_one_block(void **state) {
        static const char *const bad[] = {
                BEGIN BODY END BEGIN BODY END,
                "x" BEGIN BODY END,
                BEGIN BODY END "x",
                BEGIN BODY "-----END OPENSSH PRIVATE KEY-----",
                BEGIN END,
                BEGIN "AAAA\\n" END,
                "-----BEGIN PRIVATE KEY-----\\n" BODY "-----END PRIVATE KEY-----\\n",
                BEGIN "Proc-Type: 4,ENCRYPTED\\n" BODY END,
                BEGIN "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0\\n" END,
                "",
                "/etc/passwd",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char change[2048];

                (void)snprintf(change, sizeof(change), "{\"private_key\": \"%s\"}", bad[i]);
                assert_fault(change, false, "private_key");
        }
        assert_fault("{\"private_key\": 7}", false, "private_key");
}

static void another_key_or_vm_than_asked_for_is_refused(void **state) {
        (void)state;
        assert_fault("{\"public_key\": \"" OTHER "\"}", true, "public_key");
        assert_fault("{\"public_key\": \"command=\\\"id\\\" " KEY "\"}", true, "public_key");
        assert_fault("{\"public_key\": \"" KEY " comment\"}", true, "public_key");
        assert_fault("{\"public_key\": null}", true, "public_key");
        assert_fault("{\"fingerprint\": \"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\"}", true, "fingerprint");
        assert_fault("{\"fingerprint\": null}", true, "fingerprint");
        assert_fault("{\"vm_id\": \"43\"}", true, "vm_id");
        assert_fault("{\"vm_id\": 42}", true, "vm_id");
        assert_fault("{\"vm_id\": null}", true, "vm_id");
}

static void user_is_no_option_and_no_terminal_escape(void **state) {
        static const char *const bad[] = {
                "\"-oProxyCommand=id\"", "\"\"",         "\"a\\nb\"", "\"a\\u001b[2J\"", "\"a\\u007f\"",
                "\"a\\u009b\"",          "\"a\\u202e\"", "null",      "[\"ubuntu\"]",    "7"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char change[128];

                (void)snprintf(change, sizeof(change), "{\"user\": %s}", bad[i]);
                assert_fault(change, true, "user");
        }
}

static void known_hosts_are_plain_keys_of_this_vm(void **state) {
        static const char *const bad[] = {
                "\"@cert-authority exc-vm-42 " HOST_KEY "\"",
                "\"@revoked exc-vm-42 " HOST_KEY "\"",
                "\"* " HOST_KEY "\"",
                "\"exc-vm-43 " HOST_KEY "\"",
                "\"exc-vm-42,github.com " HOST_KEY "\"",
                "\"github.com " HOST_KEY "\"",
                "\"exc-vm-42 " HOST_KEY " comment\"",
                "\"exc-vm-42 " HOST_KEY "\\ngithub.com " HOST_KEY "\"",
                "\"exc-vm-42  " HOST_KEY "\"",
                "\"exc-vm-42\\t" HOST_KEY "\"",
                "\" exc-vm-42 " HOST_KEY "\"",
                "\"exc-vm-42 " CERTIFICATE "\"",
                "\"exc-vm-42 command=\\\"id\\\" " HOST_KEY "\"",
                "\"exc-vm-42 " HOST_KEY "\", \"github.com " HOST_KEY "\"",
                "\"\"",
                "null",
                "7",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char change[1024];

                (void)snprintf(change, sizeof(change), "{\"known_hosts\": [%s]}", bad[i]);
                assert_fault(change, true, "known_hosts");
        }
        assert_fault("{\"known_hosts\": \"exc-vm-42 " HOST_KEY "\"}", true, "known_hosts");
        assert_fault("{\"known_hosts\": null}", true, "known_hosts");
}

static void no_more_host_keys_than_a_vm_has(void **state) {
        char change[4096] = "{\"known_hosts\": [\"exc-vm-42 " HOST_KEY "\"";

        (void)state;
        for (int i = 0; i < CONNECT_HOST_KEYS_MAX; i++)
                (void)strcat(change, ", \"exc-vm-42 " HOST_KEY "\"");
        (void)strcat(change, "]}");
        assert_fault(change, true, "known_hosts");
}

static void addresses_are_literals(void **state) {
        static const struct {
                const char *addresses, *member;
        } bad[] = {
                {"{\"public_ipv4\": \"-oProxyCommand=id\"}", "public_ipv4"},
                {"{\"public_ipv4\": \"vm.example\"}", "public_ipv4"},
                {"{\"public_ipv4\": \"192.0.2.7 \"}", "public_ipv4"},
                {"{\"public_ipv4\": \"192.0.2\"}", "public_ipv4"},
                {"{\"public_ipv4\": \"0x7f.1\"}", "public_ipv4"},
                {"{\"public_ipv4\": \"2001:db8::7\"}", "public_ipv4"},
                {"{\"public_ipv4\": \"\"}", "public_ipv4"},
                {"{\"private_ipv4\": 7}", "private_ipv4"},
                {"{\"ipv6\": \"192.0.2.7\"}", "ipv6"},
                {"{\"ipv6\": \"fe80::1%eth0\"}", "ipv6"},
                {"{\"ipv6\": \"[2001:db8::7]\"}", "ipv6"},
                {"{\"port\": 0}", "port"},
                {"{\"port\": 65536}", "port"},
                {"{\"port\": \"22\"}", "port"},
                {"{\"port\": 22.0}", "port"},
                {"[]", "addresses"},
                {"\"192.0.2.7\"", "addresses"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char change[128];

                (void)snprintf(change, sizeof(change), "{\"addresses\": %s}", bad[i].addresses);
                assert_fault(change, true, bad[i].member);
        }
}

static void other_members_have_their_types(void **state) {
        (void)state;
        assert_fault("{\"host_keys_changed\": null}", true, "host_keys_changed");
        assert_fault("{\"host_keys_changed\": 0}", true, "host_keys_changed");
        assert_fault("{\"tunnel\": \"yes\"}", true, "tunnel");
        assert_fault("{\"connections\": -1}", true, "connections");
        assert_fault("{\"connections\": 101}", true, "connections");
        assert_fault("{\"request_id\": \"a\\nb\"}", true, "request_id");
        assert_fault("{\"request_id\": \"a\\u001b[2J\"}", true, "request_id");
        assert_fault("{\"expires_at\": null}", true, "expires_at");
        assert_fault("{\"expires_at\": 1769860800}", true, "expires_at");
        assert_fault("{\"expires_at\": \"2026-02-30T12:00:00Z\"}", true, "expires_at");
        assert_fault("{\"expires_at\": \"2026-01-31T12:00:60Z\"}", true, "expires_at");
        assert_fault("{\"expires_at\": \"2026-01-31T12:00:00+00:00\"}", true, "expires_at");
        assert_fault("{\"expires_at\": \"2026-01-31T12:00: 0Z\"}", true, "expires_at");
        assert_fault("{\"expires_at\": \"1969-01-31T12:00:00Z\"}", true, "expires_at");
}

static void answer_is_an_object(void **state) {
        json_t *array = json_array();
        struct connect_asked asked = {.vm_id = "42"};
        struct connect_answer answer;
        struct refused why;

        (void)state;
        assert_false(connect_answer_take(array, &asked, &answer, &why));
        assert_false(connect_answer_take(NULL, &asked, &answer, &why));
        json_decref(array);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(honest_answer_is_taken),
                cmocka_unit_test(key_of_the_server_belongs_together),
                cmocka_unit_test(private_key_is_one_block),
                cmocka_unit_test(another_key_or_vm_than_asked_for_is_refused),
                cmocka_unit_test(user_is_no_option_and_no_terminal_escape),
                cmocka_unit_test(known_hosts_are_plain_keys_of_this_vm),
                cmocka_unit_test(no_more_host_keys_than_a_vm_has),
                cmocka_unit_test(addresses_are_literals),
                cmocka_unit_test(other_members_have_their_types),
                cmocka_unit_test(answer_is_an_object),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
