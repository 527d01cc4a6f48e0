/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a policy document, and as a request to it: four lines (action, resource, address, user; empty: none), then the
 * document. What is accepted answers as the contract has it next to documents that are known: nobody can tell from the answer
 * alone what a document means, but a Deny wins, case does not count, and more statements do not take away a Deny.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/policy/policy.h"
#include "cloud/policy/policy_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool condition) {
        if (!condition)
                abort();
}

static struct policy *all_of(const char *effect) {
        char text[256], why[POLICY_WHY_MAX];
        struct policy *policy;

        (void)strcpy(text, "{\"Version\":\"2024-03-05\",\"Statements\":[{\"Effect\":\"");
        (void)strcat(text, effect);
        (void)strcat(text, "\",\"Action\":\"*\",\"Resource\":\"*\"}]}");
        require(policy_parse(text, strlen(text), &policy, why) == 0);
        return policy;
}

/* A line of the input, as a C string that the caller frees. NULL: it is empty, or there is none. */
static char *take_line(const uint8_t **at, size_t *left) {
        const uint8_t *end = *left > 0 ? memchr(*at, '\n', *left) : NULL;
        char *line = NULL;
        size_t n;

        if (!end)
                return NULL;
        n = (size_t)(end - *at);
        if (n > 0) {
                line = strndup((const char *)*at, n);
                require(line);
        }
        *at += n + 1;
        *left -= n + 1;
        return line;
}

static enum policy_effect evaluate(const struct policy *const *policies, size_t n,
                                   const struct policy_request *request) {
        struct policy_decision decision;

        memset(&decision, 0xff, sizeof(decision));
        policy_evaluate(policies, n, request, &decision);
        require(memchr(decision.sid, '\0', sizeof(decision.sid)));
        if (decision.effect == POLICY_NO_MATCH)
                return decision.effect;
        require(decision.policy < n && decision.statement < policies[decision.policy]->n_statements);
        require(policies[decision.policy]->statements[decision.statement].effect == decision.effect);
        return decision.effect;
}

static void swap_case(char *text) {
        for (; text && *text; text++)
                if (*text >= 'a' && *text <= 'z')
                        *text = (char)(*text - 'a' + 'A');
                else if (*text >= 'A' && *text <= 'Z')
                        *text = (char)(*text - 'A' + 'a');
}

static void ask(const struct policy *policy, char *action, char *resource, const char *source_ip, const char *os_user) {
        static struct policy *allow_all, *deny_all;
        struct policy_request request = {action ? action : "", resource ? resource : "", source_ip, os_user};
        enum policy_effect effect;

        if (!allow_all) {
                allow_all = all_of("Allow");
                deny_all = all_of("Deny");
        }
        effect = evaluate(&policy, 1, &request);
        require(evaluate((const struct policy *[]){policy, policy}, 2, &request) == effect);
        require(evaluate((const struct policy *[]){policy, deny_all}, 2, &request) == POLICY_DENY);
        require(evaluate((const struct policy *[]){allow_all, policy}, 2, &request) ==
                (effect == POLICY_DENY ? POLICY_DENY : POLICY_ALLOW));
        /* What the request does not have can only take an Allow away, or bring a Deny. */
        request.source_ip = request.os_user = NULL;
        require(evaluate(&policy, 1, &request) != POLICY_ALLOW || effect == POLICY_ALLOW);
        request.source_ip = source_ip;
        request.os_user = os_user;
        swap_case(action);
        swap_case(resource);
        require(evaluate(&policy, 1, &request) == effect);
}

static void require_limits(const struct policy *policy, size_t length) {
        require(policy->n_statements >= 1 && policy->n_statements <= POLICY_STATEMENTS_MAX);
        require(policy->text_size <= length);
        require(policy_unknown_condition(policy) <= policy->n_statements);
        for (size_t i = 0; i < policy->n_statements; i++) {
                const struct policy_statement *statement = &policy->statements[i];

                require(statement->effect == POLICY_ALLOW || statement->effect == POLICY_DENY);
                require(statement->actions.n > 0 && statement->resources.n > 0);
                require(statement->networks.first + statement->networks.n <= policy->n_networks);
                require(strlen(policy->text + statement->sid) < POLICY_SID_MAX);
        }
        for (size_t i = 0; i < policy->n_patterns; i++)
                require(policy->patterns[i].offset + policy->patterns[i].length < policy->text_size);
        for (size_t i = 0; i < policy->n_networks; i++)
                require(source_valid(&policy->networks[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        char *line[4], why[POLICY_WHY_MAX];
        struct policy *policy = NULL;
        int r;

        for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++)
                line[i] = take_line(&input, &size);
        r = policy_parse((const char *)input, size, &policy, why);
        if (r == 0) {
                require_limits(policy, size);
                ask(policy, line[0], line[1], line[2], line[3]);
                policy_free(policy);
        } else {
                require((r == -EINVAL && size <= POLICY_DOCUMENT_MAX) || (r == -E2BIG && size > POLICY_DOCUMENT_MAX));
                require(!policy && strlen(why) > 0);
                for (const char *at = why; *at; at++)
                        require(*at >= ' ' && *at <= '~');
        }
        for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++)
                free(line[i]);
        return 0;
}
