/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int policy_groups(const struct config *config, char ***ret, size_t *ret_n) {
        size_t n_allow = config->allow_groups.n, n_deny = config->deny_groups.n;
        char **groups;

        groups = calloc(n_allow + n_deny + 1, sizeof(*groups));
        if (!groups)
                return -ENOMEM;
        if (n_allow > 0)
                memcpy(groups, config->allow_groups.item, n_allow * sizeof(*groups));
        if (n_deny > 0)
                memcpy(groups + n_allow, config->deny_groups.item, n_deny * sizeof(*groups));
        *ret = groups;
        *ret_n = n_allow + n_deny;
        return 0;
}

static bool contains(const struct strv *list, const char *name) {
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->item[i], name) == 0)
                        return true;
        return false;
}

/* The first of these groups that the user is a member of, or NULL. */
static const char *membership(const struct strv *list, const struct nss_group *groups) {
        for (size_t i = 0; i < list->n; i++)
                if (groups[i].member)
                        return groups[i].name;
        return NULL;
}

static bool same_names(const struct strv *list, const struct nss_group *groups) {
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->item[i], groups[i].name) != 0)
                        return false;
        return true;
}

static enum refusal decide_found(const struct config *config, const struct nss_answer *answer, struct refused *ret) {
        const struct nss_group *allow = answer->groups, *deny;
        const char *group;

        if (answer->n_groups != config->allow_groups.n + config->deny_groups.n)
                goto other_groups;
        deny = config->allow_groups.n > 0 ? allow + config->allow_groups.n : allow;
        if (!same_names(&config->allow_groups, allow) || !same_names(&config->deny_groups, deny))
                goto other_groups;

        if (answer->uid < config->min_uid)
                return refuse(ret, REFUSAL_USER_DENIED, "MinUid in agent.conf is %u; %s has user id %u",
                              config->min_uid, answer->user, answer->uid);
        if (contains(&config->deny_users, answer->user))
                return refuse(ret, REFUSAL_USER_DENIED, "DenyUsers in agent.conf names %s", answer->user);
        if (config->allow_users.n > 0 && !contains(&config->allow_users, answer->user))
                return refuse(ret, REFUSAL_USER_DENIED, "AllowUsers in agent.conf does not name %s", answer->user);
        group = membership(&config->deny_groups, deny);
        if (group)
                return refuse(ret, REFUSAL_USER_DENIED, "DenyGroups in agent.conf names %s, a group of %s", group,
                              answer->user);
        if (config->allow_groups.n > 0 && !membership(&config->allow_groups, allow))
                return refuse(ret, REFUSAL_USER_DENIED, "AllowGroups in agent.conf names no group of %s", answer->user);
        return REFUSAL_NONE;

other_groups:
        return refuse(ret, REFUSAL_STORAGE_FAILURE, "the configuration changed during the lookup; push again");
}

enum refusal policy_decide(const struct config *config, const struct nss_answer *answer, struct refused *ret) {
        if (config->error)
                return refuse(ret, REFUSAL_STORAGE_FAILURE, "%s", config->error);

        switch (answer->outcome) {
        case NSS_FOUND:
                return decide_found(config, answer, ret);
        case NSS_NO_SUCH_USER:
                return refuse(ret, REFUSAL_NO_SUCH_USER, "unknown user %s", answer->user);
        case NSS_FAILURE:
        case NSS_TIMEOUT:
                break;
        }
        return refuse(ret, REFUSAL_STORAGE_FAILURE, "%s", answer->message);
}
