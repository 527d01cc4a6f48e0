/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_plan_compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/sshd_plan_check.h"
#include "admin/sshd/sshd_remedy.h"

static bool is_principals_command(const struct sshd_change *change) {
        return strcasecmp(change->name, "AuthorizedPrincipalsCommand") == 0;
}

/* -ENOMEM with its text. */
static int no_memory(char why[static SSHD_WHY_MAX]) {
        (void)snprintf(why, SSHD_WHY_MAX, "out of memory");
        return -ENOMEM;
}

/* One that has the files and options of another says what that says. */
static bool is_asked_already(const struct plan *plan, size_t index) {
        for (size_t i = 0; i < index; i++) {
                char *const *a = plan_arguments(plan->sshds + i), *const *b = plan_arguments(plan->sshds + index);

                if (!plan->without[i].text[0])
                        continue;
                while (a && b && *a && *b && strcmp(*a, *b) == 0)
                        a++, b++;
                if (!(a && *a) && !(b && *b))
                        return true;
        }
        return false;
}

static int add_principals(struct plan_making *making, const struct plan_sshd *sshd, const char *found,
                          const char *command, const char *user) {
        struct config_pair theirs = sshd_config_plain(sshd->before, true);
        const char *include = NULL;
        int r;

        /* Of several that come before the other command, this sshd takes the last, which may be the copy for the first sshd. */
        if (sshd->service && making->principals_command) {
                r = plan_propose(making, &theirs, &include);
                if (r < 0 || !include)
                        return r;
        }
        return plan_add_fault(making->plan, remedy_principals(sshd->after, found, command, user, include));
}

static int add_change(struct plan_making *making, const struct plan_sshd *sshd, const struct sshd_change *change,
                      const char *principals_user) {
        char found[SSHD_WHY_MAX];

        sshd_change_say(plan_name(sshd), change, found);
        if (!is_principals_command(change))
                return plan_add_fault(making->plan,
                                      plan_say("%s.\nOnly AuthorizedKeysCommand and its user may change.\n", found));
        if (change->user)
                return plan_add_fault(making->plan, remedy_block_principals(sshd->after, found));
        return add_principals(making, sshd, found, change->without, principals_user);
}

/* Whether a copy in the file for all, which is ours to write, may be a remedy that has not been tried. */
static bool may_repeat(const struct plan_making *making, size_t index, const struct sshd_change *change) {
        return index == 0 && !change->user && is_principals_command(change) && making->primary && making->edited < 0 &&
               !making->principals_command;
}

/* 1 where a copy is to be tried, and then `making` has it; else 0, and a change is a fault. -ENOMEM. */
static int take_change(struct plan_making *making, size_t index, struct sshd_change *change) {
        const struct plan *plan = making->plan;
        char *user = sshd_answer_value(plan->without[index].text[0], "AuthorizedPrincipalsCommandUser");
        int r;

        if (!user)
                return -ENOMEM;
        if (may_repeat(making, index, change)) {
                making->principals_command = change->without; /* transferred */
                change->without = NULL;
                making->principals_user = user; /* transferred */
                return 1;
        }
        r = add_change(making, plan->sshds + index, change, user);
        free(user);
        return r;
}

/* With the files of the plan, what has an answer without them. */
static int compare(struct plan_making *making, size_t index, char why[static SSHD_WHY_MAX]) {
        struct plan *plan = making->plan;
        const struct plan_sshd *sshd = plan->sshds + index;
        struct sshd_answers with = {.text = {NULL}};
        struct sshd_change change = {.name = NULL};
        int r = sshd_answers_ask_with(plan_arguments(sshd), &plan->then, &plan->users, &plan->without[index], &with,
                                      why);

        /* sshd does not take it. */
        if (r == -EIO)
                return plan_add_fault(plan, plan_say("%s: %s\n", plan_name(sshd), why)) < 0 ? no_memory(why) : 0;
        if (r < 0)
                return r;
        r = sshd_answers_compare(&plan->without[index], &with, &plan->users, &change);
        if (r > 0)
                r = take_change(making, index, &change);
        sshd_change_clear(&change);
        sshd_answers_clear(&with);
        return r < 0 ? no_memory(why) : r;
}

int plan_compare(struct plan_making *making, char ret_why[static SSHD_WHY_MAX]) {
        struct plan *plan = making->plan;
        int r = 0;

        login_users_find(&plan->users);
        for (size_t i = 0; i < plan->n_sshds && r == 0; i++) {
                const struct plan_sshd *sshd = plan->sshds + i;

                if (!sshd->after || (i > 0 && !sshd->asks) || is_asked_already(plan, i))
                        continue;
                if (!plan->without[i].text[0])
                        r = sshd_answers_ask_without(plan_arguments(sshd), &plan->then, &plan->users, &plan->without[i],
                                                     ret_why);
                if (r >= 0 && plan->without[i].text[0])
                        r = compare(making, i, ret_why);
        }
        return r;
}
