/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/enable/sshd_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/enable/sshd_plan_internal.h"

enum { EXPIRY_TIME_SINCE = 901 }; /* expiry-time= in UTC */

static const struct own_files no_files;

static const char *value_of(const struct config_place *place) {
        return place ? place->value : NULL;
}

/* --- what is there --- */

static int read_before(struct plan *plan) {
        plan->sshds[0] = (struct plan_sshd){.service = NULL};
        plan->n_sshds = 1 + plan->n_services;
        for (size_t i = 0; i < plan->n_sshds; i++) {
                struct plan_sshd *sshd = plan->sshds + i;
                char why[SSHD_WHY_MAX];
                int r;

                if (i > 0)
                        sshd->service = plan->services + i - 1;
                r = sshd_config_read(plan_arguments(sshd), &no_files, &sshd->before, why);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        r = plan_add_note(plan, plan_say("%s is left alone: its configuration cannot be read: %s",
                                                         plan_name(sshd), why));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_after(struct plan *plan, const struct own_files *own) {
        for (size_t i = 0; i < plan->n_sshds; i++) {
                struct plan_sshd *sshd = plan->sshds + i;
                char why[SSHD_WHY_MAX];

                sshd_config_free(sshd->after);
                sshd->after = NULL;
                sshd->asks = false;
                if (!sshd->before)
                        continue;
                if (sshd_config_read(plan_arguments(sshd), own, &sshd->after, why) == -ENOMEM)
                        return -ENOMEM;
                for (int k = 0; sshd->after && k < DROP_IN_FILES; k++)
                        sshd->asks = sshd->asks || sshd->after->reads_own[k];
        }
        return 0;
}

static bool same_value(const char *said, const struct config_place *place) {
        const char *read = value_of(place);

        if (read && strcasecmp(read, "none") == 0)
                read = NULL;
        return said && read ? strcmp(said, read) == 0 : !said && !read;
}

/* sshd and this program must have read the same, or nothing that follows holds. */
static int check_reading(const struct plan *plan, char why[static SSHD_WHY_MAX]) {
        struct sshd_keys_command said = {.command = NULL};
        struct sshd_config *config;
        struct config_pair pair;
        int r;

        r = sshd_config_read(NULL, &plan->now, &config, why);
        if (r < 0)
                return r;
        r = sshd_keys_command(NULL, NULL, &said, why);
        if (r >= 0) {
                pair = sshd_config_plain(config, false);
                if (!same_value(said.command, pair.command) || !same_value(said.user, pair.user)) {
                        (void)snprintf(why, SSHD_WHY_MAX, "sshd -T says AuthorizedKeysCommand %s, and its files say %s",
                                       said.command ? said.command : "none",
                                       pair.command ? pair.command->value : "none");
                        r = -EBADMSG;
                }
        }
        sshd_keys_command_clear(&said);
        sshd_config_free(config);
        return r;
}

static int say_found(struct plan *plan) {
        struct config_pair theirs = sshd_config_plain(plan->sshds[0].before, true);

        if (plan_kind(&theirs) == KEYS_COMMAND_NONE)
                plan->found = plan_say("sshd runs no other AuthorizedKeysCommand.");
        else
                plan->found = plan_say("sshd runs \"%s\" as %s (%s line %u).", theirs.command->value,
                                       theirs.user ? theirs.user->value : "nobody in particular", theirs.command->file,
                                       theirs.command->line);
        return plan->found ? 0 : -ENOMEM;
}

/* --- what should be --- */

/* The file for all, as somebody wrote it. */
static int find_edited(struct plan_making *making) {
        struct plan *plan = making->plan;

        making->edited = -1;
        for (int i = 0; i < DROP_IN_NAMES; i++) {
                if (!plan->now.text[i] || drop_in_unedited(plan->now.text[i]))
                        continue;
                if (making->edited >= 0)
                        return plan_add_fault(plan, plan_say("%s and %s were both edited: keep one of them, and remove "
                                                             "the other.\n" PLAN_AGAIN,
                                                             drop_in_paths[making->edited], drop_in_paths[i]));
                making->edited = i;
        }
        for (int i = 0; i < DROP_IN_NAMES && making->edited < 0; i++)
                if (plan->disabled.text[i]) {
                        making->edited = i;
                        making->edited_aside = true;
                }
        if (making->edited < 0)
                return 0;
        making->primary =
                strdup(making->edited_aside ? plan->disabled.text[making->edited] : plan->now.text[making->edited]);
        return making->primary ? 0 : -ENOMEM;
}

static int make_primary(struct plan_making *making) {
        struct config_pair theirs = sshd_config_pair(making->plan->sshds[0].before, -1, true);
        int r;

        r = find_edited(making);
        if (r < 0 || making->primary)
                return r;
        switch (plan_kind(&theirs)) {
        case KEYS_COMMAND_OURS:
                return plan_add_note(making->plan,
                                     plan_say("%s line %u asks exc-authorized-keys already: nothing is added to that.",
                                              theirs.command->file, theirs.command->line));
        case KEYS_COMMAND_OURS_WRONG_USER:
                return plan_add_fault(
                        making->plan,
                        plan_say("%s line %u runs exc-authorized-keys as %s, and it can do its part as root only.\n"
                                 "Set AuthorizedKeysCommandUser root there.\n" PLAN_AGAIN,
                                 theirs.command->file, theirs.command->line,
                                 theirs.user ? theirs.user->value : "nobody"));
        default:
                r = plan_text_for(making, &theirs, true, &making->primary);
                return r == -EINVAL ? plan_add_unchainable(making->plan, theirs.command) : r;
        }
}

/* A numbered file, for the place where it is included. */
static int make_numbered(struct plan_making *making, const struct plan_sshd *sshd, const struct config_place *place) {
        struct config_pair theirs = sshd_config_pair(sshd->before, place->block, true);
        struct plan *plan = making->plan;
        int i = place->own, r;
        char *text;

        making->bound[i] = true;
        if (plan->edited[i])
                return 0;
        if (plan->now.text[i] ? !drop_in_unedited(plan->now.text[i]) : plan->disabled.text[i] != NULL) {
                plan->edited[i] = true;
                plan->restored[i] = !plan->now.text[i];
                plan->from[i] = i;
                free(plan->then.text[i]);
                plan->then.text[i] = strdup(plan->now.text[i] ? plan->now.text[i] : plan->disabled.text[i]);
                return plan->then.text[i] ? 0 : -ENOMEM;
        }
        /* A block that sets nothing any more is not to be given something. */
        if (plan_kind(&theirs) == KEYS_COMMAND_OURS || (plan_kind(&theirs) == KEYS_COMMAND_NONE && place->block >= 0))
                return 0;
        r = plan_text_for(making, &theirs, false, &text);
        if (r == -EINVAL)
                return plan_add_unchainable(plan, theirs.command);
        if (r < 0)
                return r;
        if (plan->then.text[i] && strcmp(plan->then.text[i], text) != 0)
                r = plan_add_fault(
                        plan,
                        plan_say("%s is included where different commands are set, %s line %u is one of these places.\n"
                                 "Include another number there.\n" PLAN_AGAIN,
                                 drop_in_paths[i], place->file, place->line));
        else if (!plan->then.text[i]) {
                plan->then.text[i] = text; /* transferred */
                return 0;
        }
        free(text);
        return r;
}

/* One that somebody has edited, and that no Include names at present, such as one whose block is commented out. */
static int keep_numbered(struct plan_making *making, int i) {
        struct plan *plan = making->plan;

        if (making->bound[i] || !plan->now.text[i] || drop_in_unedited(plan->now.text[i]))
                return 0;
        plan->edited[i] = true;
        plan->from[i] = i;
        plan->then.text[i] = strdup(plan->now.text[i]);
        return plan->then.text[i] ? 0 : -ENOMEM;
}

static int make_all_numbered(struct plan_making *making) {
        struct plan *plan = making->plan;
        int r = 0;

        for (size_t i = 0; i < plan->n_sshds && r >= 0; i++) {
                const struct plan_sshd *sshd = plan->sshds + i;

                for (size_t k = 0; sshd->before && k < sshd->before->n_places && r >= 0; k++)
                        if (sshd->before->place[k].word == CONFIG_OWN_INCLUDE)
                                r = make_numbered(making, sshd, sshd->before->place + k);
        }
        for (int i = DROP_IN_NAMES; i < DROP_IN_FILES && r >= 0; i++)
                r = keep_numbered(making, i);
        return r;
}

/* The plan with the file for all under name `i`. */
static int choose(struct plan_making *making, int i) {
        struct plan *plan = making->plan;

        for (int k = 0; k < DROP_IN_NAMES; k++) {
                free(plan->then.text[k]);
                plan->then.text[k] = NULL;
                plan->edited[k] = plan->restored[k] = false;
        }
        making->chosen = i;
        if (making->primary) {
                plan->then.text[i] = strdup(making->primary);
                if (!plan->then.text[i])
                        return -ENOMEM;
                plan->edited[i] = making->edited >= 0;
                plan->restored[i] = making->edited >= 0 && making->edited_aside;
                plan->from[i] = making->edited;
        }
        return read_after(plan, &plan->then);
}

/* The first name under which it counts before what else there is; the first of all, where there is none. */
static int choose_name(struct plan_making *making) {
        for (int k = 0; k < DROP_IN_NAMES; k++) {
                /* A name that somebody has edited is kept, if it can be. */
                int i = making->edited > 0 ? (k + making->edited) % DROP_IN_NAMES : k, r = choose(making, i);
                struct config_pair pair;

                if (r < 0)
                        return r;
                if (!making->primary || !making->plan->sshds[0].after)
                        return 0;
                pair = sshd_config_pair(making->plan->sshds[0].after, -1, false);
                if (plan_kind(&pair) == KEYS_COMMAND_OURS)
                        return 0;
        }
        return choose(making, making->edited > 0 ? making->edited : 0);
}

static void making_clear(struct plan_making *making) {
        free(making->primary);
        free(making->principals_command);
        free(making->principals_user);
        for (int i = 0; i < DROP_IN_FILES; i++)
                free(making->proposed[i]);
}

/* The file for all, under a name, and whether all is well then. As plan_compare(). */
static int make_for_all(struct plan_making *making, char why[static SSHD_WHY_MAX]) {
        int r;

        free(making->primary);
        making->primary = NULL;
        r = make_primary(making);
        if (r >= 0)
                r = choose_name(making);
        if (r >= 0)
                r = plan_check(making);
        if (r >= 0 && making->plan->n_faults == 0)
                r = plan_compare(making, why);
        return r;
}

static int make(struct plan_making *making, char why[static SSHD_WHY_MAX]) {
        struct plan *plan = making->plan;
        int r;

        r = say_found(plan);
        if (r >= 0)
                r = make_all_numbered(making);
        if (r >= 0)
                r = make_for_all(making, why);
        if (r > 0)
                r = plan_add_note(plan,
                                  plan_say("sshd would ignore its AuthorizedPrincipalsCommand behind ours, so our "
                                           "file repeats it. When it changes, run: exc-instance-connect enable"));
        if (r >= 0 && making->principals_command)
                r = make_for_all(making, why);
        return r;
}

static int look(struct plan *plan, char why[static SSHD_WHY_MAX]) {
        int r;

        r = sshd_services(plan->services);
        if (r < 0) {
                (void)snprintf(why, SSHD_WHY_MAX, "this machine's services cannot be read: %s", strerror(-r));
                return r;
        }
        plan->n_services = (size_t)r;
        r = read_before(plan);
        if (r < 0)
                (void)snprintf(why, SSHD_WHY_MAX, "%s", strerror(-r));
        return r;
}

int plan_make(struct plan *ret, char ret_why[static SSHD_WHY_MAX]) {
        struct plan *plan = calloc(1, sizeof(*plan));
        struct plan_making making = {.plan = plan, .edited = -1};
        int r, version;

        if (!plan) {
                (void)snprintf(ret_why, SSHD_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        /* First, since what is wrong with them sshd would tell less well. */
        r = own_files_load(&plan->now, &plan->disabled, ret_why);
        if (r >= 0)
                r = sshd_test(NULL, ret_why);
        if (r >= 0) {
                version = sshd_version();
                making.expiry_time = version >= EXPIRY_TIME_SINCE;
                r = look(plan, ret_why);
        }
        if (r >= 0 && !plan->sshds[0].before) {
                (void)snprintf(ret_why, SSHD_WHY_MAX, "%s", plan->notes[0]);
                r = -EIO;
        }
        if (r >= 0)
                r = check_reading(plan, ret_why);
        if (r >= 0) {
                ret_why[0] = '\0';
                r = make(&making, ret_why);
                if (r < 0 && ret_why[0] == '\0')
                        (void)snprintf(ret_why, SSHD_WHY_MAX, "%s", strerror(-r));
        }
        making_clear(&making);
        if (r < 0)
                plan_clear(plan);
        else {
                *ret = *plan; /* transferred */
                /* They point into each other. */
                for (size_t i = 1; i < ret->n_sshds; i++)
                        ret->sshds[i].service = ret->services + i - 1;
        }
        free(plan);
        return r;
}

int plan_look(struct plan *ret, char ret_why[static SSHD_WHY_MAX]) {
        char why[SSHD_WHY_MAX];
        int r;

        *ret = (struct plan){.found = NULL};
        r = own_files_load(&ret->now, &ret->disabled, ret_why);
        if (r < 0)
                return r;
        /* What cannot be read keeps nothing here. */
        r = look(ret, why);
        if (r < 0)
                r = plan_add_note(ret, plan_say("%s. Reload sshd by hand.", why));
        if (r >= 0)
                r = read_after(ret, &ret->now);
        for (size_t i = 1; i < ret->n_sshds; i++)
                ret->sshds[i].asks = ret->sshds[i].asks || !ret->sshds[i].before;
        if (r < 0) {
                (void)snprintf(ret_why, SSHD_WHY_MAX, "%s", strerror(-r));
                plan_clear(ret);
        }
        return r;
}
