/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cloud/policy/policy.h"
#include "cloud/policy/policy_internal.h"

/* A text of the request, in lower case as patterns are. No pattern is longer than a document: what follows is not compared. */
struct folded {
        size_t length; /* of all of it */
        char text[POLICY_DOCUMENT_MAX];
};

/* The request, as statements are compared with it. */
struct subject {
        struct folded action, resource;
        bool has_address;
        uint8_t family; /* SOURCE_V4 or SOURCE_V6 */
        uint8_t address[16];
        const char *os_user;
        size_t os_user_length;
};

static void fold(const char *text, struct folded *ret) {
        ret->length = strlen(text);
        for (size_t i = 0; i < ret->length && i < sizeof(ret->text); i++)
                ret->text[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
}

static void read_address(const char *text, struct subject *ret) {
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

        ret->has_address = false;
        if (!text)
                return;
        if (inet_pton(AF_INET, text, ret->address) == 1) {
                ret->family = SOURCE_V4;
                ret->has_address = true;
        } else if (inet_pton(AF_INET6, text, ret->address) == 1) {
                ret->family = SOURCE_V6;
                ret->has_address = true;
                if (memcmp(ret->address, mapped, sizeof(mapped)) == 0) {
                        ret->family = SOURCE_V4;
                        memmove(ret->address, ret->address + sizeof(mapped), 4);
                }
        }
}

static bool any_pattern(const struct policy *policy, struct policy_list list, const struct folded *text) {
        const struct policy_pattern *pattern = policy->patterns + list.first;

        for (uint32_t i = 0; i < list.n; i++, pattern++)
                if ((text->length == pattern->length || (pattern->prefix && text->length > pattern->length)) &&
                    memcmp(policy->text + pattern->offset, text->text, pattern->length) == 0)
                        return true;
        return false;
}

static bool any_name(const struct policy *policy, struct policy_list list, const char *name, size_t length) {
        const struct policy_pattern *pattern = policy->patterns + list.first;

        for (uint32_t i = 0; i < list.n; i++, pattern++)
                if (length == pattern->length && memcmp(policy->text + pattern->offset, name, length) == 0)
                        return true;
        return false;
}

static bool in_network(const struct source *network, const struct subject *subject) {
        unsigned bytes = network->prefix / 8, bits = network->prefix % 8;

        if (network->family != subject->family || memcmp(network->address, subject->address, bytes) != 0)
                return false;
        return bits == 0 || (network->address[bytes] ^ subject->address[bytes]) >> (8 - bits) == 0;
}

static bool any_network(const struct policy *policy, struct policy_list list, const struct subject *subject) {
        for (uint32_t i = 0; i < list.n; i++)
                if (in_network(&policy->networks[list.first + i], subject))
                        return true;
        return false;
}

/* A condition that cannot be decided holds for a Deny, and does not hold for an Allow. */
static bool conditions_hold(const struct policy *policy, const struct policy_statement *statement,
                            const struct subject *subject) {
        bool undecided = statement->unknown;

        if (statement->networks.n > 0) {
                if (!subject->has_address)
                        undecided = true;
                else if (!any_network(policy, statement->networks, subject))
                        return false;
        }
        if (statement->users.n > 0) {
                if (!subject->os_user)
                        undecided = true;
                else if (!any_name(policy, statement->users, subject->os_user, subject->os_user_length))
                        return false;
        }
        return !undecided || statement->effect == POLICY_DENY;
}

static bool matches(const struct policy *policy, const struct policy_statement *statement,
                    const struct subject *subject) {
        return any_pattern(policy, statement->resources, &subject->resource) &&
               any_pattern(policy, statement->actions, &subject->action) && conditions_hold(policy, statement, subject);
}

/* The first statement with that effect that matches. */
static bool find(const struct policy *const *policies, size_t n, enum policy_effect effect,
                 const struct subject *subject, struct policy_decision *ret) {
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < policies[i]->n_statements; k++) {
                        const struct policy_statement *statement = &policies[i]->statements[k];

                        if (statement->effect != effect || !matches(policies[i], statement, subject))
                                continue;
                        ret->effect = effect;
                        ret->policy = i;
                        ret->statement = k;
                        (void)snprintf(ret->sid, sizeof(ret->sid), "%s", policies[i]->text + statement->sid);
                        return true;
                }
        return false;
}

void policy_evaluate(const struct policy *const *policies, size_t n, const struct policy_request *request,
                     struct policy_decision *ret) {
        struct subject subject;

        *ret = (struct policy_decision){.effect = POLICY_NO_MATCH};
        fold(request->action, &subject.action);
        fold(request->resource, &subject.resource);
        read_address(request->source_ip, &subject);
        subject.os_user = request->os_user;
        subject.os_user_length = request->os_user ? strlen(request->os_user) : 0;

        if (!find(policies, n, POLICY_DENY, &subject, ret))
                (void)find(policies, n, POLICY_ALLOW, &subject, ret);
}
