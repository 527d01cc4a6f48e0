/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/name_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent/audit.h"
#include "agent/policy.h"

/* --- what is wrong ------------------------------------------------------------------------------------------------ */

static const char *effect_of(const char *key) {
        return strncmp(key, "Deny", 4) == 0 ? "denies" : "allows";
}

bool name_check_user(const char *key, const char *name, const struct nss_answer *answer,
                     char ret_why[static NAME_CHECK_WHY_MAX]) {
        switch (answer->outcome) {
        case NSS_NO_SUCH_USER:
                (void)snprintf(ret_why, NAME_CHECK_WHY_MAX,
                               "%s: %s: no such user, so this %s nobody; correct or remove it (a name with a blank is "
                               "written in double quotes)",
                               key, name, effect_of(key));
                return true;
        case NSS_FOUND:
                if (strcmp(answer->user, name) == 0)
                        return false;
                (void)snprintf(ret_why, NAME_CHECK_WHY_MAX,
                               "%s: %s: the name service calls this user %s, so this %s nobody; write that name", key,
                               name, answer->user, effect_of(key));
                return true;
        case NSS_FAILURE:
        case NSS_TIMEOUT:
                break;
        }
        return false;
}

bool name_check_group(const char *key, const struct nss_group *group, char ret_why[static NAME_CHECK_WHY_MAX]) {
        if (group->exists)
                return false;
        (void)snprintf(ret_why, NAME_CHECK_WHY_MAX,
                       "%s: %s: no such group, so this %s nobody; correct or remove it (a name with a blank is written "
                       "in double quotes)",
                       key, group->name, effect_of(key));
        return true;
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

struct name_check {
        struct nss *nss;
        struct strv users; /* those of AllowUsers, then those of DenyUsers */
        size_t n_allow_users, n_allow_groups;
        size_t next; /* in `users` */
};

static void next_user(struct name_check *check);

static void on_user(void *context, const struct nss_answer *answer) {
        struct name_check *check = context;
        const char *key = check->next < check->n_allow_users ? "AllowUsers" : "DenyUsers";
        char why[NAME_CHECK_WHY_MAX];

        if (name_check_user(key, check->users.item[check->next], answer, why))
                audit_note(LOG_WARNING, "agent.conf: %s", why);
        check->next++;
        next_user(check);
}

static void next_user(struct name_check *check) {
        struct nss_lookup *lookup;

        /* One that cannot be looked up is not reported, and ends the check. */
        if (check->next < check->users.n)
                (void)nss_lookup(check->nss, check->users.item[check->next], NULL, 0, on_user, check, &lookup);
}

static void on_groups(void *context, const struct nss_answer *answer) {
        struct name_check *check = context;
        char why[NAME_CHECK_WHY_MAX];

        for (size_t i = 0; answer->outcome == NSS_FOUND && i < answer->n_groups; i++)
                if (name_check_group(i < check->n_allow_groups ? "AllowGroups" : "DenyGroups", &answer->groups[i], why))
                        audit_note(LOG_WARNING, "agent.conf: %s", why);
        next_user(check);
}

static int copy_users(struct name_check *check, const struct strv *list) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < list->n && check->users.n < NAME_CHECK_USERS_MAX; i++)
                r = strv_add(&check->users, list->item[i]);
        return r;
}

/* Groups are looked up with a user: with one that each system has. */
static int look_up_groups(struct name_check *check, const struct config *config) {
        struct nss_lookup *lookup;
        char **groups;
        size_t n;
        int r;

        r = policy_groups(config, &groups, &n);
        if (r < 0)
                return r;
        r = nss_lookup(check->nss, "root", groups, n, on_groups, check, &lookup);
        free(groups);
        return r;
}

int name_check_start(sd_event *event, const struct config *config, struct name_check **ret) {
        struct name_check *check;
        int r;

        *ret = NULL;
        if (config->allow_users.n + config->deny_users.n + config->allow_groups.n + config->deny_groups.n == 0)
                return 0;
        check = calloc(1, sizeof(*check));
        if (!check)
                return -ENOMEM;
        check->n_allow_groups = config->allow_groups.n;
        r = copy_users(check, &config->allow_users);
        check->n_allow_users = check->users.n;
        if (r >= 0)
                r = copy_users(check, &config->deny_users);
        if (r >= 0)
                r = nss_new(event, SD_EVENT_PRIORITY_IDLE, NSS_LIMIT_US, &check->nss);
        if (r >= 0)
                r = look_up_groups(check, config);
        if (r < 0) {
                name_check_free(check);
                return r;
        }
        *ret = check;
        return 0;
}

void name_check_free(struct name_check *check) {
        if (!check)
                return;
        nss_free(check->nss);
        strv_clear(&check->users);
        free(check);
}
