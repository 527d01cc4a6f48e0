/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_plan_compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int add_change(struct plan_making *making, const struct plan_sshd *sshd, const struct sshd_change *change) {
        char found[SSHD_WHY_MAX];

        sshd_change_say(plan_name(sshd), change, found);
        return plan_add_fault(making->plan,
                              plan_say("%s.\nOnly AuthorizedKeysCommand and its user may change.\n", found));
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
                r = add_change(making, sshd, &change);
        sshd_change_clear(&change);
        sshd_answers_clear(&with);
        return r < 0 ? no_memory(why) : 0;
}

int plan_compare(struct plan_making *making, char ret_why[static SSHD_WHY_MAX]) {
        struct plan *plan = making->plan;
        int r = 0;

        login_users_find(&plan->users);
        for (size_t i = 0; i < plan->n_sshds && r >= 0; i++) {
                const struct plan_sshd *sshd = plan->sshds + i;

                if (!sshd->after || (i > 0 && !sshd->asks) || is_asked_already(plan, i))
                        continue;
                r = sshd_answers_ask_without(plan_arguments(sshd), &plan->then, &plan->users, &plan->without[i],
                                             ret_why);
                if (r >= 0 && plan->without[i].text[0])
                        r = compare(making, i, ret_why);
        }
        return r;
}
