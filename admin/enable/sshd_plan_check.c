/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/enable/sshd_plan_internal.h"
#include "admin/enable/sshd_remedy.h"
#include "admin/sshd/text_file.h"

int plan_propose(struct plan_making *making, const struct config_pair *theirs, const char **ret_include) {
        struct plan *plan = making->plan;
        char *text;
        int r;

        *ret_include = NULL;
        r = plan_text_for(making, theirs, false, &text);
        if (r == -EINVAL)
                return plan_add_unchainable(plan, theirs->command);
        if (r < 0)
                return r;
        for (int i = DROP_IN_NAMES; i < DROP_IN_FILES && !*ret_include; i++) {
                const char *has = making->proposed[i] ? making->proposed[i] : plan->then.text[i];

                if (has && strcmp(has, text) == 0)
                        *ret_include = drop_in_paths[i];
        }
        for (int i = DROP_IN_NAMES; i < DROP_IN_FILES && !*ret_include; i++)
                if (!making->bound[i] && !making->proposed[i] && !plan->then.text[i] && !plan->disabled.text[i]) {
                        making->proposed[i] = text; /* transferred */
                        text = NULL;
                        *ret_include = drop_in_paths[i];
                }
        free(text);
        return *ret_include
                       ? 0
                       : plan_add_fault(plan, plan_say("More than %d different commands are set in this machine's sshd "
                                                       "configurations.\n",
                                                       DROP_IN_CHAINS));
}

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether enable would change nothing about what file `own` is, and whether it counts. */
static bool stays(const struct plan *plan, int own) {
        for (int i = 0; i < DROP_IN_NAMES && own < DROP_IN_NAMES; i++)
                if (!same_text(plan->now.text[i], plan->then.text[i]))
                        return false;
        return same_text(plan->now.text[own], plan->then.text[own]);
}

/* Whether theirs, if there is any, stands behind ours in what somebody wrote. */
static int has_behind(const char *text, const struct config_pair *theirs, bool *ret) {
        char *chained, *behind;
        int r;

        *ret = true;
        if (plan_kind(theirs) != KEYS_COMMAND_THEIRS)
                return 0;
        r = drop_in_chain(theirs->command->value, &chained);
        if (r < 0)
                return r == -EINVAL ? 0 : r;
        behind = plan_say(" -- %s", chained);
        free(chained);
        if (!behind)
                return -ENOMEM;
        *ret = strstr(text, behind) != NULL;
        free(behind);
        return 0;
}

/* The same for an edited file: it may leave theirs out, as long as that is out already. */
static int chains_edited(const struct plan_making *making, const struct config_pair *theirs,
                         const struct config_place *ours, bool *ret) {
        struct plan *plan = making->plan;
        int r;

        r = has_behind(ours->value, theirs, ret);
        if (r < 0 || *ret || !stays(plan, ours->own))
                return r;
        *ret = true;
        return plan_add_note(plan,
                             plan_say("%s has been edited and is kept. It does not run \"%s\": keys from there are "
                                      "not asked for.",
                                      drop_in_paths[ours->own], theirs->command->value));
}

/* Whether ours would run just what this sshd runs now, where the first line is `ours`. */
static int chains(const struct plan_making *making, const struct config_pair *theirs, const struct config_place *ours,
                  bool *ret) {
        char *text;
        int r;

        if (making->plan->edited[ours->own])
                return chains_edited(making, theirs, ours, ret);
        *ret = true;
        if (plan_kind(theirs) == KEYS_COMMAND_OURS)
                return 0;
        r = plan_text_for(making, theirs, ours->own < DROP_IN_NAMES, &text);
        if (r == -EINVAL) {
                *ret = false;
                return 0;
        }
        if (r < 0)
                return r;
        *ret = strcmp(text, making->plan->then.text[ours->own]) == 0;
        free(text);
        return 0;
}

/* What is to be put into the edited file `own`, so that theirs is run as it is now. */
static int add_unchained(struct plan_making *making, const struct config_pair *theirs, int own) {
        struct drop_in drop_in = {.expiry_time = making->expiry_time};
        struct plan *plan = making->plan;
        char *command = NULL, *user = NULL, aside[OWN_FILES_PATH_MAX];
        int r;

        if (!theirs->user)
                return plan_add_unchainable(plan, theirs->command);
        own_files_aside_path(plan->from[own], aside);
        drop_in.user = theirs->user->value;
        r = drop_in_chain(theirs->command->value, &drop_in.command);
        if (r >= 0)
                r = drop_in_settings(&drop_in, &command, &user);
        if (r >= 0)
                r = plan_add_fault(plan, plan_say("%s has been edited, and does not run \"%s\", which sshd runs now.\n"
                                                  "Put these lines into it, in the place of its own, or remove it:\n\n"
                                                  "    AuthorizedKeysCommand %s\n"
                                                  "    AuthorizedKeysCommandUser %s\n\n" PLAN_AGAIN,
                                                  plan->restored[own] ? aside : drop_in_paths[plan->from[own]],
                                                  theirs->command->value, command, user));
        free(drop_in.command);
        free(command);
        free(user);
        return r;
}

/* One with the file of the defaults has the same top of it. */
static bool shares_top(const struct plan *plan, const struct plan_sshd *sshd) {
        return sshd == plan->sshds ||
               (plan->sshds[0].after && strcmp(sshd->after->root, plan->sshds[0].after->root) == 0);
}

/* Whether the edited file is the one to fix: another sshd gets a file of its own. */
static bool is_to_chain(const struct plan *plan, const struct plan_sshd *sshd, int own) {
        return plan->edited[own] && (own >= DROP_IN_NAMES || shares_top(plan, sshd));
}

/* Another sshd that is to run no command, by a line of its own: nobody wants pushed keys there. */
static int note_none(struct plan *plan, const struct plan_sshd *sshd, const struct config_place *none) {
        if (!none->file)
                return plan_add_note(plan,
                                     plan_say("%s runs no command, by its command line, and so no pushed key logs "
                                              "in there.",
                                              plan_name(sshd)));
        return plan_add_note(plan, plan_say("%s line %u: %s runs no command, and so no pushed key logs in there.",
                                            none->file, none->line, plan_name(sshd)));
}

/* What counts for all. */
static int check_all(struct plan_making *making, const struct plan_sshd *sshd) {
        struct config_pair pair = sshd_config_pair(sshd->after, -1, false),
                           theirs = sshd_config_pair(sshd->before, -1, true);
        enum keys_command_kind kind = plan_kind(&pair);
        const struct config_place *before = NULL;
        struct plan *plan = making->plan;
        const char *include;
        bool same = true;
        int r;

        if (kind == KEYS_COMMAND_OURS && pair.command->own < 0)
                return 0;
        if (kind == KEYS_COMMAND_NONE && sshd->service && pair.command && pair.command->own < 0)
                return note_none(plan, sshd, pair.command);
        if (kind == KEYS_COMMAND_OURS) {
                r = chains(making, &theirs, pair.command, &same);
                if (r < 0 || same)
                        return r;
                if (is_to_chain(plan, sshd, pair.command->own))
                        return add_unchained(making, &theirs, pair.command->own);
        }
        if (pair.command && pair.command->own < 0)
                before = pair.command;
        else if (pair.user && pair.user->own < 0)
                before = pair.user;
        if (!same)
                before = theirs.command ? theirs.command : theirs.user;
        if (same && !before && sshd->asks)
                return plan_add_fault(plan,
                                      plan_say("%s has been edited, and does not let sshd ask exc-authorized-keys.\n"
                                               "Fix it, or remove it. " PLAN_AGAIN,
                                               drop_in_paths[making->chosen]));
        if (shares_top(plan, sshd)) {
                include = drop_in_paths[making->chosen];
                /* Else the line that is asked for would put it over theirs. */
                if (plan->edited[making->chosen]) {
                        r = has_behind(plan->then.text[making->chosen], &theirs, &same);
                        if (r < 0 || !same)
                                return r < 0 ? r : add_unchained(making, &theirs, making->chosen);
                }
        } else {
                r = plan_propose(making, &theirs, &include);
                if (r < 0 || !include)
                        return r;
        }
        if (before && !before->file)
                return plan_add_fault(plan, remedy_option(sshd->service, sshd->after, &theirs, include));
        return plan_add_fault(plan, remedy_top(sshd->after, before, include));
}

/* The line of somebody else that counts first in a block. */
static const struct config_place *first_of_theirs(const struct sshd_config *config, int block) {
        for (size_t i = 0; i < config->n_places; i++)
                if (config->place[i].block == block && config->place[i].own < 0)
                        return config->place + i;
        return NULL;
}

/* The same block without our files: one that somebody has edited may have blocks of its own. */
static int block_before(const struct plan_sshd *sshd, int block) {
        const struct config_block *after = sshd->after->block + block;

        for (size_t i = 0; i < sshd->before->n_blocks; i++) {
                const struct config_block *before = sshd->before->block + i;

                if (before->line == after->line && before->file && after->file &&
                    strcmp(before->file, after->file) == 0)
                        return (int)i;
        }
        return -1;
}

static int check_block(struct plan_making *making, const struct plan_sshd *sshd, int block) {
        const struct config_place *place = first_of_theirs(sshd->after, block);
        struct config_pair pair = sshd_config_pair(sshd->after, block, false),
                           theirs = sshd_config_pair(sshd->before, block_before(sshd, block), true);
        enum keys_command_kind kind = plan_kind(&pair);
        const char *include;
        bool same = true;
        int r;

        if (!place)
                return 0;
        if (kind == KEYS_COMMAND_NONE)
                return plan_add_note(making->plan,
                                     plan_say("%s line %u: for \"Match %s\" sshd runs no command, and so no pushed key "
                                              "logs in there.",
                                              place->file, place->line, sshd->after->block[block].condition));
        if (kind == KEYS_COMMAND_OURS && pair.command->own >= 0) {
                r = chains(making, &theirs, pair.command, &same);
                if (r < 0)
                        return r;
                if (!same && is_to_chain(making->plan, sshd, pair.command->own))
                        return add_unchained(making, &theirs, pair.command->own);
        }
        if (kind == KEYS_COMMAND_OURS && same)
                return 0;
        r = plan_propose(making, &theirs, &include);
        if (r < 0 || !include)
                return r;
        return plan_add_fault(making->plan, remedy_block(sshd->after, place, include));
}

static int check_sshd(struct plan_making *making, const struct plan_sshd *sshd) {
        int r = 0;

        if (!sshd->after)
                return 0;
        /* The one with the defaults must ask, and what is asked for is for all that read the same file. */
        if (sshd != making->plan->sshds && !sshd->asks && shares_top(making->plan, sshd))
                return 0;
        /* Another that includes nothing of ours goes on as it is. */
        if (sshd != making->plan->sshds && !sshd->asks)
                return plan_add_note(making->plan,
                                     plan_say("%s is left alone: its configuration does not include %s.",
                                              plan_name(sshd),
                                              making->primary ? drop_in_paths[making->chosen] : SSHD_DROP_IN_DIR));
        r = check_all(making, sshd);
        for (size_t i = 0; i < sshd->after->n_blocks && r >= 0; i++)
                r = check_block(making, sshd, (int)i);
        return r;
}

/* A line of a process's title, in which sshd has its arguments, without their quotes. */
static bool title_has_command(pid_t pid) {
        char path[64], *text;
        bool has = false;
        size_t n = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        file = fopen(path, "re");
        text = calloc(1, TEXT_FILE_MAX);
        if (file && text)
                n = fread(text, 1, TEXT_FILE_MAX - 1, file);
        for (size_t i = 0; i < n; i++)
                if (text[i] == '\0')
                        text[i] = ' ';
        if (text)
                has = strcasestr(text, "AuthorizedKeysCommand") != NULL;
        free(text);
        if (file)
                (void)fclose(file);
        return has;
}

/* What runs may have been started before its unit was changed. */
static int check_running(struct plan *plan) {
        int r = 0;

        for (size_t i = 0; i < plan->n_sshds && r >= 0; i++) {
                const struct plan_sshd *sshd = plan->sshds + i;
                bool has_option = false;

                if (!sshd->service || !sshd->after || !sshd->service->active || sshd->service->main_pid <= 0)
                        continue;
                for (size_t k = 0; k < sshd->after->n_places; k++)
                        has_option = has_option || !sshd->after->place[k].file;
                if (!has_option && title_has_command(sshd->service->main_pid))
                        r = plan_add_fault(plan, remedy_restart(sshd->service));
        }
        return r;
}

int plan_check(struct plan_making *making) {
        int r = 0;

        for (size_t i = 0; i < making->plan->n_sshds && r >= 0; i++)
                r = check_sshd(making, making->plan->sshds + i);
        return r < 0 ? r : check_running(making->plan);
}
