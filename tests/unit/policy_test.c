/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Linked with --wrap=calloc. */
static bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
        return no_memory ? NULL : __real_calloc(n, size);
}

static char alice[] = "alice", bob[] = "bob", staff[] = "staff", wheel[] = "wheel", guests[] = "guests";

static char *alice_alone[] = {alice};
static char *alice_and_bob[] = {alice, bob};
static char *staff_and_wheel[] = {staff, wheel};
static char *guests_alone[] = {guests};

#define WORDS(array) ((struct strv){.item = (array), .n = sizeof(array) / sizeof((array)[0])})

static struct refused refused;

static enum refusal decide(const struct config *config, const struct nss_answer *answer) {
        enum refusal r;

        refused = (struct refused){.why = REFUSAL_NONE};
        r = policy_decide(config, answer, &refused);
        assert_int_equal(refused.why, r);
        return r;
}

static struct nss_answer found(const char *user) {
        struct nss_answer answer = {.outcome = NSS_FOUND, .uid = 1000, .gid = 1000};

        (void)snprintf(answer.user, sizeof(answer.user), "%s", user);
        return answer;
}

static void no_rules_allow_every_user(void **state) {
        struct config config = {.min_uid = 0};
        struct nss_answer answer = found("root");

        (void)state;
        answer.uid = 0;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
}

static void unknown_user_is_refused(void **state) {
        struct config config = {.allow_users = WORDS(alice_alone)};
        struct nss_answer answer = found("alice");

        (void)state;
        answer.outcome = NSS_NO_SUCH_USER;
        assert_int_equal(decide(&config, &answer), REFUSAL_NO_SUCH_USER);
        assert_non_null(strstr(refused.message, "alice"));
}

static void name_service_failure_refuses(void **state) {
        static const enum nss_outcome outcomes[] = {NSS_FAILURE, NSS_TIMEOUT, (enum nss_outcome)99};
        struct config config = {.min_uid = 0};
        struct nss_answer answer = found("alice");

        (void)state;
        strcpy(answer.message, "the reason");
        for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
                answer.outcome = outcomes[i];
                assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
                assert_string_equal(refused.message, "the reason");
        }
}

static void configuration_error_refuses(void **state) {
        struct config config = {.error = "agent.conf:3: fix it"};
        struct nss_answer answer = found("alice");

        (void)state;
        assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
        assert_string_equal(refused.message, "agent.conf:3: fix it");
}

static void min_uid_refuses_lower_ids(void **state) {
        struct config config = {.min_uid = 1000, .allow_users = WORDS(alice_alone)};
        struct nss_answer answer = found("alice");

        (void)state;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
        answer.uid = 999;
        assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        assert_string_equal(refused.message, "MinUid in agent.conf is 1000; alice has user id 999");
        config.min_uid = UINT32_MAX - 1;
        answer.uid = UINT32_MAX - 1;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
}

static void deny_users_refuses_listed_user(void **state) {
        struct config config = {.deny_users = WORDS(alice_and_bob)};
        struct nss_answer answer = found("bob");

        (void)state;
        assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        assert_string_equal(refused.message, "DenyUsers in agent.conf names bob");
        answer = found("carol");
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
}

static void allow_users_refuses_unlisted_user(void **state) {
        struct config config = {.allow_users = WORDS(alice_and_bob)};
        struct nss_answer answer = found("bob");

        (void)state;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
        answer = found("carol");
        assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        assert_string_equal(refused.message, "AllowUsers in agent.conf does not name carol");
}

static void names_are_compared_exactly(void **state) {
        static const char *const others[] = {"Alice", "alic", "alicee", "alice@corp", "*"};
        struct config config = {.allow_users = WORDS(alice_alone)};

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                struct nss_answer answer = found(others[i]);

                assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        }
}

static void deny_users_wins_over_allow_users(void **state) {
        struct config config = {.allow_users = WORDS(alice_and_bob), .deny_users = WORDS(alice_alone)};
        struct nss_answer answer = found("alice");

        (void)state;
        assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        answer = found("bob");
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
}

static void deny_groups_refuses_members_of_any(void **state) {
        struct config config = {.deny_groups = WORDS(staff_and_wheel)};
        struct nss_group groups[] = {{staff, true, false}, {wheel, true, false}};
        struct nss_answer answer = found("alice");

        (void)state;
        answer.groups = groups;
        answer.n_groups = 2;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
        groups[1].member = true;
        assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        assert_string_equal(refused.message, "DenyGroups in agent.conf names wheel, a group of alice");
}

static void allow_groups_refuses_members_of_none(void **state) {
        struct config config = {.allow_groups = WORDS(staff_and_wheel)};
        struct nss_group groups[] = {{staff, true, false}, {wheel, true, false}};
        struct nss_answer answer = found("alice");

        (void)state;
        answer.groups = groups;
        answer.n_groups = 2;
        assert_int_equal(decide(&config, &answer), REFUSAL_USER_DENIED);
        assert_string_equal(refused.message, "AllowGroups in agent.conf names no group of alice");
        groups[1].member = true;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
}

static void every_list_must_be_passed(void **state) {
        struct config config = {
                .allow_users = WORDS(alice_alone),
                .allow_groups = WORDS(staff_and_wheel),
                .deny_groups = WORDS(guests_alone),
        };
        (void)state;
        for (unsigned bits = 0; bits < 16; bits++) {
                struct nss_group groups[] = {
                        {staff, true, bits & 1}, {wheel, true, bits & 2}, {guests, true, bits & 4}};
                struct nss_answer answer = found(bits & 8 ? "alice" : "bob");
                bool may = (bits & 8) && (bits & 3) && !(bits & 4);

                answer.groups = groups;
                answer.n_groups = 3;
                assert_int_equal(decide(&config, &answer), may ? REFUSAL_NONE : REFUSAL_USER_DENIED);
        }
}

static void groups_to_look_up_are_those_of_both_lists(void **state) {
        struct config config = {.allow_groups = WORDS(staff_and_wheel), .deny_groups = WORDS(guests_alone)};
        struct config none = {.min_uid = 0};
        char **groups;
        size_t n;

        (void)state;
        assert_int_equal(policy_groups(&config, &groups, &n), 0);
        assert_int_equal(n, 3);
        assert_ptr_equal(groups[0], staff);
        assert_ptr_equal(groups[1], wheel);
        assert_ptr_equal(groups[2], guests);
        free(groups);
        assert_int_equal(policy_groups(&none, &groups, &n), 0);
        assert_int_equal(n, 0);
        free(groups);
        no_memory = true;
        assert_int_equal(policy_groups(&config, &groups, &n), -ENOMEM);
        no_memory = false;
}

static void answer_about_other_groups_is_failure(void **state) {
        struct config config = {.allow_groups = WORDS(staff_and_wheel), .deny_groups = WORDS(guests_alone)};
        struct nss_group groups[] = {
                {staff, true, true}, {wheel, true, true}, {guests, true, false}, {guests, true, false}};
        struct nss_answer answer = found("alice");

        (void)state;
        answer.groups = groups;
        answer.n_groups = 3;
        assert_int_equal(decide(&config, &answer), REFUSAL_NONE);
        answer.n_groups = 2;
        assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
        answer.n_groups = 4;
        assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
        answer.n_groups = 3;
        groups[2].name = wheel;
        assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
        groups[2].name = guests;
        groups[0].name = wheel;
        assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
        answer.groups = NULL;
        answer.n_groups = 0;
        assert_int_equal(decide(&config, &answer), REFUSAL_STORAGE_FAILURE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_rules_allow_every_user),
                cmocka_unit_test(unknown_user_is_refused),
                cmocka_unit_test(name_service_failure_refuses),
                cmocka_unit_test(configuration_error_refuses),
                cmocka_unit_test(min_uid_refuses_lower_ids),
                cmocka_unit_test(deny_users_refuses_listed_user),
                cmocka_unit_test(allow_users_refuses_unlisted_user),
                cmocka_unit_test(names_are_compared_exactly),
                cmocka_unit_test(deny_users_wins_over_allow_users),
                cmocka_unit_test(deny_groups_refuses_members_of_any),
                cmocka_unit_test(allow_groups_refuses_members_of_none),
                cmocka_unit_test(every_list_must_be_passed),
                cmocka_unit_test(groups_to_look_up_are_those_of_both_lists),
                cmocka_unit_test(answer_about_other_groups_is_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
