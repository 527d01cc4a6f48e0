/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts, tokens, policies. */
#include "tests/unit/cloud_store_fixture.h"

static void account_is_added_once(void **state) {
        struct store_account account;

        (void)state;
        assert_int_equal(store_account_get(store, "ada", &account), STORE_NOT_FOUND);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_CONFLICT);
        assert_int_equal(store_account_add(store, "Ada", NOW), STORE_OK);
        assert_int_equal(store_account_get(store, "ada", &account), STORE_OK);
        assert_string_equal(account.name, "ada");
        assert_int_equal(account.created, NOW);
        assert_int_equal(store_account_delete(store, "ada"), STORE_OK);
        assert_int_equal(store_account_delete(store, "ada"), STORE_NOT_FOUND);
        assert_int_equal(store_account_get(store, "ada", &account), STORE_NOT_FOUND);
        assert_int_equal(store_account_get(store, "Ada", &account), STORE_OK);
}

static void names_have_1_to_64_bytes(void **state) {
        char name[STORE_NAME_MAX + 1];
        struct store_policy policy;

        (void)state;
        memset(name, 'x', sizeof(name));
        name[STORE_NAME_MAX] = '\0'; /* 65 bytes */
        assert_int_equal(store_account_add(store, name, NOW), STORE_INVALID);
        assert_int_equal(store_account_add(store, "", NOW), STORE_INVALID);
        assert_int_equal(put_policy(name, "{}", 0, &policy), STORE_INVALID);
        assert_int_equal(put_policy("", "{}", 0, &policy), STORE_INVALID);
        name[STORE_NAME_MAX - 1] = '\0';
        assert_int_equal(store_account_add(store, name, NOW), STORE_OK);
        assert_int_equal(put_policy(name, "{}", 0, &policy), STORE_CREATED);
        assert_string_equal(policy.name, name);
}

static void lists_go_on_after_the_last_name(void **state) {
        struct store_account accounts[3];
        struct store_policy policies[3];
        struct store_token tokens[3];
        size_t n;

        (void)state;
        for (char name[] = "e"; name[0] >= 'a'; name[0]--)
                assert_int_equal(store_account_add(store, name, NOW), STORE_OK);
        assert_int_equal(store_account_list(store, "", 3, accounts, &n), STORE_OK);
        assert_int_equal(n, 3);
        assert_string_equal(accounts[0].name, "a");
        assert_string_equal(accounts[2].name, "c");
        assert_int_equal(store_account_list(store, "c", 3, accounts, &n), STORE_OK);
        assert_int_equal(n, 2);
        assert_string_equal(accounts[1].name, "e");
        assert_int_equal(store_account_list(store, "e", 3, accounts, &n), STORE_OK);
        assert_int_equal(n, 0);
        assert_int_equal(store_account_list(store, "", 0, accounts, &n), STORE_OK);
        assert_int_equal(n, 0);

        for (char id[] = "1"; id[0] <= '4'; id[0]++) {
                struct store_token token = a_token(id, id[0] < '3' ? "a" : "b");

                assert_int_equal(store_token_add(store, &token), STORE_OK);
        }
        assert_int_equal(store_token_list(store, NULL, "1", 3, tokens, &n), STORE_OK);
        assert_int_equal(n, 3);
        assert_string_equal(tokens[0].id, "2");
        assert_int_equal(store_token_list(store, "b", "", 3, tokens, &n), STORE_OK);
        assert_int_equal(n, 2);
        assert_string_equal(tokens[0].id, "3");
        assert_string_equal(tokens[0].account, "b");
        assert_int_equal(store_token_list(store, "none", "", 3, tokens, &n), STORE_OK);
        assert_int_equal(n, 0);

        assert_int_equal(put_policy("x", "{}", 0, &policies[0]), STORE_CREATED);
        assert_int_equal(store_policy_list(store, "", 3, policies, &n), STORE_OK);
        assert_int_equal(n, 2);
        assert_string_equal(policies[0].name, "Admin");
        assert_string_equal(policies[1].name, "x");
}

static void token_belongs_to_an_account(void **state) {
        struct store_token token = a_token("abcdefgh", "ada"), found;

        (void)state;
        assert_int_equal(store_token_add(store, &token), STORE_INVALID);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_token_add(store, &token), STORE_OK);
        assert_int_equal(store_token_add(store, &token), STORE_CONFLICT);
        assert_int_equal(store_token_get(store, "abcdefgh", &found), STORE_OK);
        assert_string_equal(found.account, "ada");
        assert_memory_equal(found.secret_hash, token.secret_hash, sizeof(token.secret_hash));
        assert_int_equal(found.created, NOW);
        assert_int_equal(found.expires, NOW + 3600);
        assert_int_equal(store_token_get(store, "ABCDEFGH", &found), STORE_NOT_FOUND);
        assert_int_equal(store_token_delete(store, "abcdefgh"), STORE_OK);
        assert_int_equal(store_token_delete(store, "abcdefgh"), STORE_NOT_FOUND);
        assert_int_equal(store_token_get(store, "abcdefgh", &found), STORE_NOT_FOUND);
}

static void policy_versions_are_never_used_twice(void **state) {
        struct store_policy first, second, third, found;
        char *text;
        size_t length;

        (void)state;
        assert_int_equal(put_policy("p", "one", 0, &first), STORE_CREATED);
        assert_int_equal(store_policy_put(store, "p", "two\0x", 5, 0, NOW + 9, &second), STORE_OK);
        assert_true(second.version > first.version);
        assert_int_equal(second.created, NOW);
        assert_int_equal(second.changed, NOW + 9);
        assert_int_equal(store_policy_text(store, first.version, &text, &length), STORE_NOT_FOUND);
        assert_int_equal(store_policy_text(store, second.version, &text, &length), STORE_OK);
        assert_int_equal(length, 5);
        assert_memory_equal(text, "two\0x", 6); /* and a NUL */
        free(text);
        assert_int_equal(store_policy_get(store, "p", &found), STORE_OK);
        assert_int_equal(found.version, second.version);
        assert_int_equal(found.changed, NOW + 9);
        assert_int_equal(store_policy_delete(store, "p", 0), STORE_OK);
        assert_int_equal(store_policy_text(store, second.version, &text, &length), STORE_NOT_FOUND);
        assert_int_equal(put_policy("p", "", 0, &third), STORE_CREATED);
        assert_true(third.version > second.version);
        assert_int_equal(store_policy_text(store, third.version, &text, &length), STORE_OK);
        assert_int_equal(length, 0);
        assert_string_equal(text, "");
        free(text);
        assert_int_equal(raw_number("SELECT count(*) FROM policy_text"), 2);
}

static void policy_is_replaced_at_the_expected_version_only(void **state) {
        struct store_policy policy = {.version = -7}, found;

        (void)state;
        assert_int_equal(put_policy("p", "x", 1, &policy), STORE_PRECONDITION);
        assert_int_equal(policy.version, -7);
        assert_int_equal(store_policy_get(store, "p", &found), STORE_NOT_FOUND);
        assert_int_equal(put_policy("p", "x", -1, &policy), STORE_CREATED);
        assert_int_equal(put_policy("p", "y", -1, &found), STORE_PRECONDITION);
        assert_int_equal(put_policy("p", "y", policy.version + 1, &found), STORE_PRECONDITION);
        assert_int_equal(put_policy("p", "y", policy.version, &found), STORE_OK);
        assert_int_equal(store_policy_delete(store, "p", policy.version), STORE_PRECONDITION);
        assert_int_equal(store_policy_delete(store, "p", found.version), STORE_OK);
        assert_int_equal(store_policy_delete(store, "p", 0), STORE_NOT_FOUND);
}

static void admin_stays_as_it_is(void **state) {
        struct store_policy policy;
        char *text;
        size_t length;

        (void)state;
        assert_int_equal(store_policy_get(store, "Admin", &policy), STORE_OK);
        assert_true(policy.created > NOW);
        assert_int_equal(store_policy_text(store, policy.version, &text, &length), STORE_OK);
        assert_string_equal(text, "{\"Version\":\"2024-03-05\",\"Statements\":[{\"Sid\":\"Admin\",\"Effect\":\"Allow\","
                                  "\"Action\":\"*\",\"Resource\":\"*\"}]}");
        assert_int_equal(length, strlen(text));
        free(text);
        assert_int_equal(store_policy_delete(store, "Admin", 0), STORE_CONFLICT);
        assert_int_equal(put_policy("Admin", "{}", 0, &policy), STORE_CONFLICT);
}

static void policies_are_attached_to_accounts(void **state) {
        struct store_policy policy, *list;
        size_t n;

        (void)state;
        assert_int_equal(store_attach(store, "ada", "Admin"), STORE_INVALID);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_account_add(store, "bob", NOW), STORE_OK);
        assert_int_equal(store_attach(store, "ada", "p"), STORE_INVALID);
        for (int i = 0; i < 20; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "p%02d", i);
                assert_int_equal(put_policy(name, "{}", 0, &policy), STORE_CREATED);
                assert_int_equal(store_attach(store, "ada", name), STORE_CREATED);
        }
        assert_int_equal(store_attach(store, "ada", "p07"), STORE_OK);
        assert_int_equal(store_attached(store, "ada", &list, &n), STORE_OK);
        assert_int_equal(n, 20);
        assert_string_equal(list[0].name, "p00");
        assert_string_equal(list[19].name, "p19");
        assert_int_equal(list[19].version, policy.version);
        free(list);
        assert_int_equal(store_attached(store, "bob", &list, &n), STORE_OK);
        assert_int_equal(n, 0);
        free(list);
        assert_int_equal(store_detach(store, "ada", "p07"), STORE_OK);
        assert_int_equal(store_detach(store, "ada", "p07"), STORE_NOT_FOUND);
        assert_int_equal(store_policy_delete(store, "p08", 0), STORE_OK);
        /* A replaced policy stays attached, with its new version. */
        assert_int_equal(put_policy("p09", "{}", 0, &policy), STORE_OK);
        assert_int_equal(store_attached(store, "ada", &list, &n), STORE_OK);
        assert_int_equal(n, 18);
        assert_string_equal(list[7].name, "p09");
        assert_int_equal(list[7].version, policy.version);
        free(list);
}

static void everything_of_an_account_ends_with_it(void **state) {
        struct store_token token = a_token("abcdefgh", "ada");
        struct store_keypair keypair = a_keypair("ada", "k");
        struct store_instance instance = an_instance("42"), found;
        struct store_session session = a_session(1, "ada", "42");
        struct store_policy *list;
        size_t n;

        (void)state;
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_token_add(store, &token), STORE_OK);
        assert_int_equal(store_attach(store, "ada", "Admin"), STORE_CREATED);
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        (void)snprintf(instance.keypair_account, sizeof(instance.keypair_account), "ada");
        (void)snprintf(instance.keypair, sizeof(instance.keypair), "k");
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        assert_int_equal(store_session_add(store, &session), STORE_OK);
        assert_int_equal(store_account_delete(store, "ada"), STORE_OK);

        assert_int_equal(store_token_get(store, "abcdefgh", &token), STORE_NOT_FOUND);
        assert_int_equal(store_keypair_get(store, "ada", "k", &keypair), STORE_NOT_FOUND);
        assert_int_equal(store_session_redeem(store, session.hash, "ada", &session), STORE_NOT_FOUND);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.keypair, "");
        assert_string_equal(found.keypair_account, "");
        assert_int_equal(found.version, 2);
        /* Nor does one of the same name have anything of it. */
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_attached(store, "ada", &list, &n), STORE_OK);
        assert_int_equal(n, 0);
        free(list);
        assert_int_equal(raw_number("SELECT count(*) FROM session"), 0);
        assert_int_equal(raw_number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void sql_in_names_and_texts_is_text(void **state) {
        struct store_account account;
        struct store_policy policy, *list;
        size_t n, length;
        char *text;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(sql_texts); i++) {
                const char *name = sql_texts[i];

                assert_int_equal(store_account_get(store, name, &account), STORE_NOT_FOUND);
                assert_int_equal(store_account_delete(store, name), STORE_NOT_FOUND);
                assert_int_equal(store_account_add(store, name, NOW), STORE_OK);
                assert_int_equal(store_account_get(store, name, &account), STORE_OK);
                assert_string_equal(account.name, name);
                assert_int_equal(put_policy(name, name, 0, &policy), STORE_CREATED);
                assert_int_equal(store_policy_text(store, policy.version, &text, &length), STORE_OK);
                assert_string_equal(text, name);
                free(text);
                assert_int_equal(store_attach(store, name, name), STORE_CREATED);
                assert_int_equal(store_attached(store, name, &list, &n), STORE_OK);
                assert_int_equal(n, 1);
                free(list);
                assert_int_equal(store_detach(store, name, name), STORE_OK);
        }
        assert_int_equal(raw_number("SELECT count(*) FROM account"), ELEMENTS(sql_texts));
        for (size_t i = 0; i < ELEMENTS(sql_texts); i++) {
                assert_int_equal(store_account_delete(store, sql_texts[i]), STORE_OK);
                assert_int_equal(store_policy_delete(store, sql_texts[i], 0), STORE_OK);
                assert_int_equal(raw_number("SELECT count(*) FROM account"), ELEMENTS(sql_texts) - i - 1);
        }
        assert_int_equal(raw_number("SELECT count(*) FROM policy"), 1);
}

static void sql_in_token_ids_is_text(void **state) {
        struct store_token token, found;
        size_t n = 0;

        (void)state;
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        for (size_t i = 0; i < ELEMENTS(sql_texts); i++) {
                assert_int_equal(store_token_get(store, sql_texts[i], &found), STORE_NOT_FOUND);
                assert_int_equal(store_token_delete(store, sql_texts[i]), STORE_NOT_FOUND);
                if (strlen(sql_texts[i]) >= STORE_TOKEN_ID_MAX)
                        continue;
                token = a_token(sql_texts[i], "ada");
                assert_int_equal(store_token_add(store, &token), STORE_OK);
                assert_int_equal(store_token_get(store, sql_texts[i], &found), STORE_OK);
                assert_string_equal(found.id, sql_texts[i]);
                n++;
        }
        assert_int_equal(raw_number("SELECT count(*) FROM token"), n);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(account_is_added_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(names_have_1_to_64_bytes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(lists_go_on_after_the_last_name, set_up, tear_down),
                cmocka_unit_test_setup_teardown(token_belongs_to_an_account, set_up, tear_down),
                cmocka_unit_test_setup_teardown(policy_versions_are_never_used_twice, set_up, tear_down),
                cmocka_unit_test_setup_teardown(policy_is_replaced_at_the_expected_version_only, set_up, tear_down),
                cmocka_unit_test_setup_teardown(admin_stays_as_it_is, set_up, tear_down),
                cmocka_unit_test_setup_teardown(policies_are_attached_to_accounts, set_up, tear_down),
                cmocka_unit_test_setup_teardown(everything_of_an_account_ends_with_it, set_up, tear_down),
                cmocka_unit_test_setup_teardown(sql_in_names_and_texts_is_text, set_up, tear_down),
                cmocka_unit_test_setup_teardown(sql_in_token_ids_is_text, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
