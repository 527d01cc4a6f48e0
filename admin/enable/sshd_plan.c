/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/enable/sshd_plan_internal.h"
#include "admin/enable/sshd_remedy.h"

/* Takes over `text`. The same is said once, and what is too much is not said: it is a fault all the same. */
static int add_text(char *list[static PLAN_TEXTS_MAX], size_t *n, char *text) {
        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < *n; i++)
                if (strcmp(list[i], text) == 0) {
                        free(text);
                        return 0;
                }
        if (*n == PLAN_TEXTS_MAX)
                free(text);
        else
                list[(*n)++] = text;
        return 0;
}

int plan_add_fault(struct plan *plan, char *text) {
        return add_text(plan->faults, &plan->n_faults, text);
}

int plan_add_note(struct plan *plan, char *text) {
        return add_text(plan->notes, &plan->n_notes, text);
}

char *plan_say(const char *format, ...) {
        va_list arguments;
        char *text;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        return n < 0 ? NULL : text;
}

static const char *value_of(const struct config_place *place) {
        return place ? place->value : NULL;
}

enum keys_command_kind plan_kind(const struct config_pair *pair) {
        return keys_command_kind(value_of(pair->command), value_of(pair->user));
}

const char *plan_name(const struct plan_sshd *sshd) {
        return sshd->service ? sshd->service->name : SSHD_PROGRAM;
}

char *const *plan_arguments(const struct plan_sshd *sshd) {
        return sshd->service ? sshd->service->arguments : NULL;
}

int plan_text_for(const struct plan_making *making, const struct config_pair *theirs, bool for_all, char **ret) {
        struct drop_in drop_in = {.expiry_time = making->expiry_time};
        char *text;
        int r;

        if (for_all) {
                drop_in.principals_command = making->principals_command;
                drop_in.principals_user = making->principals_user;
        }
        if (plan_kind(theirs) != KEYS_COMMAND_NONE) {
                if (!theirs->user)
                        return -EINVAL;
                r = drop_in_chain(theirs->command->value, &drop_in.command);
                if (r < 0)
                        return r;
                drop_in.user = theirs->user->value;
        }
        text = drop_in_render(&drop_in);
        free(drop_in.command);
        if (!text)
                return -ENOMEM;
        *ret = text; /* transferred */
        return 0;
}

int plan_add_unchainable(struct plan *plan, const struct config_place *command) {
        return plan_add_fault(
                plan, plan_say("%s line %u: sshd cannot run this command, as quotes in it are not closed, or no\n"
                               "AuthorizedKeysCommandUser goes with it: %s\n",
                               command->file ? command->file : "the command line", command->line, command->value));
}

void plan_clear(struct plan *plan) {
        own_files_clear(&plan->now);
        own_files_clear(&plan->disabled);
        own_files_clear(&plan->then);
        for (size_t i = 0; i < plan->n_sshds; i++) {
                sshd_config_free(plan->sshds[i].before);
                sshd_config_free(plan->sshds[i].after);
                sshd_answers_clear(plan->without + i);
                sshd_specs_clear(plan->specs + i);
        }
        sshd_services_clear(plan->services, plan->n_services);
        free(plan->found);
        for (size_t i = 0; i < plan->n_notes; i++)
                free(plan->notes[i]);
        for (size_t i = 0; i < plan->n_faults; i++)
                free(plan->faults[i]);
        *plan = (struct plan){.found = NULL};
}

/* --- whether other settings stay as they are --- */

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
        if (change->about)
                return plan_add_fault(making->plan, remedy_block_principals(sshd->after, found));
        return add_principals(making, sshd, found, change->without, principals_user);
}

/* Whether a copy in the file for all, which is ours to write, may be a remedy that has not been tried. */
static bool may_repeat(const struct plan_making *making, size_t index, const struct sshd_change *change) {
        return index == 0 && !change->about && is_principals_command(change) && making->primary && making->edited < 0 &&
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
        int r = sshd_answers_ask_with(plan_arguments(sshd), &plan->then, &plan->specs[index], &plan->without[index],
                                      &with, why);

        /* sshd does not take it. */
        if (r == -EIO)
                return plan_add_fault(plan, plan_say("%s: %s\n", plan_name(sshd), why)) < 0 ? no_memory(why) : 0;
        if (r < 0)
                return r;
        r = sshd_answers_compare(&plan->without[index], &with, &plan->specs[index], &change);
        if (r > 0)
                r = take_change(making, index, &change);
        sshd_change_clear(&change);
        sshd_answers_clear(&with);
        return r < 0 ? no_memory(why) : r;
}

/* What there is no answer for is not compared. */
static int ask_without(struct plan *plan, size_t index, char why[static SSHD_WHY_MAX]) {
        char *const *arguments = plan_arguments(plan->sshds + index);
        struct sshd_specs *specs = plan->specs + index;
        int r;

        r = sshd_specs_find(arguments, &plan->then, NULL, specs, why);
        if (r >= 0)
                r = sshd_answers_ask_without(arguments, &plan->then, specs, &plan->without[index], why);
        for (size_t i = 0; i < specs->not_compared.n && r >= 0; i++)
                r = plan_add_note(plan, plan_say("not compared: %s.", specs->not_compared.item[i]));
        for (size_t i = 0; i < specs->text.n && r >= 0; i++)
                if (!plan->without[index].text[i + 1])
                        r = plan_add_note(plan, plan_say("not compared: %s: sshd does not answer, or not in time.",
                                                         specs->about.item[i]));
        return r;
}

int plan_compare(struct plan_making *making, char ret_why[static SSHD_WHY_MAX]) {
        struct plan *plan = making->plan;
        int r = 0;

        for (size_t i = 0; i < plan->n_sshds && r == 0; i++) {
                const struct plan_sshd *sshd = plan->sshds + i;

                if (!sshd->after || (i > 0 && !sshd->asks) || is_asked_already(plan, i))
                        continue;
                if (!plan->without[i].text[0])
                        r = ask_without(plan, i, ret_why);
                if (r >= 0 && plan->without[i].text[0])
                        r = compare(making, i, ret_why);
        }
        return r;
}
