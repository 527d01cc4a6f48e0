/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/sshd/sshd_plan_internal.h"

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
        }
        sshd_services_clear(plan->services, plan->n_services);
        free(plan->found);
        for (size_t i = 0; i < plan->n_notes; i++)
                free(plan->notes[i]);
        for (size_t i = 0; i < plan->n_faults; i++)
                free(plan->faults[i]);
        *plan = (struct plan){.found = NULL};
}
