/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-instance-connect disable: takes away what enable wrote, so that sshd is configured as it was. It does so also
 * where sshd is not installed any more, or its configuration is broken by something else: the command that our files name may
 * be about to go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/enable/sshd_plan.h"
#include "admin/enable/sshd_report.h"
#include "cli/output.h"
#include "wire/refusal.h"

/* Lines of others that name our helper: they would run what may not be there any more. */
static bool names_us(const struct plan *plan) {
        bool named = false;

        for (size_t i = 0; i < plan->n_sshds; i++) {
                const struct sshd_config *config = plan->sshds[i].before;

                for (size_t k = 0; config && k < config->n_places; k++) {
                        const struct config_place *place = config->place + k;
                        enum keys_command_kind kind = KEYS_COMMAND_NONE;

                        if (place->word == CONFIG_COMMAND)
                                kind = keys_command_kind(place->value, NULL);
                        if (kind != KEYS_COMMAND_OURS && kind != KEYS_COMMAND_OURS_WRONG_USER)
                                continue;
                        named = true;
                        if (place->file)
                                complain("%s line %u still has sshd run exc-authorized-keys: take it out by hand",
                                         place->file, place->line);
                        else
                                complain("%s still has sshd run exc-authorized-keys, by its command line: take it out "
                                         "by hand",
                                         plan->sshds[i].service ? plan->sshds[i].service->name : "a service");
                }
        }
        return named;
}

static bool edited(const struct plan *plan, int i) {
        return plan->now.text[i] && !drop_in_unedited(plan->now.text[i]);
}

static bool any(const struct own_files *files) {
        for (int i = 0; i < DROP_IN_FILES; i++)
                if (files->text[i])
                        return true;
        return false;
}

static int show(const struct plan *plan) {
        for (int i = 0; i < DROP_IN_FILES; i++) {
                char aside[OWN_FILES_PATH_MAX];

                own_files_aside_path(i, aside);
                if (edited(plan, i))
                        report("Note: %s has been edited, and would be kept as %s.", drop_in_paths[i], aside);
        }
        report_diff(&plan->now, &plan->then);
        return EXIT_DONE;
}

/* Those that were edited first: what fails leaves the others as they are. */
static int take_away(const struct plan *plan) {
        char why[SSHD_WHY_MAX], aside[OWN_FILES_PATH_MAX];
        struct own_files left;
        int r = 0;

        if (!own_files_copy(&plan->now, &left)) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        for (int i = 0; i < DROP_IN_FILES && r >= 0; i++) {
                if (!edited(plan, i))
                        continue;
                r = own_files_put_aside(i, why);
                if (r < 0)
                        break;
                own_files_aside_path(i, aside);
                report("Put aside, since it has been edited: %s", aside);
                free(left.text[i]);
                left.text[i] = NULL;
        }
        if (r >= 0)
                r = own_files_change(&left, &plan->then, why);
        if (r >= 0)
                report_changes(&left, &plan->then);
        else
                complain("%s", why);
        own_files_clear(&left);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

static void put_back(const struct plan *plan) {
        char why[SSHD_WHY_MAX];

        if (own_files_change(&plan->then, &plan->now, why) < 0) {
                complain("what was taken away cannot be put back: %s", why);
                return;
        }
        for (int i = 0; i < DROP_IN_FILES; i++)
                if (edited(plan, i))
                        (void)own_files_forget_disabled(i);
}

static const struct sshd_specs none;

/* What each sshd that reads our files would say without them. Nothing where its configuration is broken then. */
static void ask_without(const struct plan *plan, struct sshd_answers ret[static SSHD_SERVICES_MAX + 1]) {
        char why[SSHD_WHY_MAX];

        for (size_t i = 0; i < plan->n_sshds; i++)
                if (plan->sshds[i].asks)
                        (void)sshd_answers_ask_with(plan_arguments(plan->sshds + i), &plan->then, &none, NULL, &ret[i],
                                                    why);
}

/* Whether each says that now. An Include may match the file that was put aside. */
static bool is_out_of_effect(const struct plan *plan, const struct sshd_answers without[static SSHD_SERVICES_MAX + 1]) {
        char why[SSHD_WHY_MAX];

        for (size_t i = 0; i < plan->n_sshds; i++) {
                const char *name = plan_name(plan->sshds + i);
                struct sshd_answers now = {.text = {NULL}};
                bool answered, same;

                if (!without[i].text[0])
                        continue;
                (void)sshd_answers_ask(plan_arguments(plan->sshds + i), &none, NULL, &now, why);
                answered = now.text[0] != NULL;
                same = answered && strcmp(now.text[0], without[i].text[0]) == 0;
                sshd_answers_clear(&now);
                if (same)
                        continue;
                if (answered)
                        complain("nothing is changed, what was taken away is put back: some of it is still in effect "
                                 "for %s, so an Include matches file names in " SSHD_DROP_IN_DIR
                                 " that begin with a dot",
                                 name);
                else
                        complain("nothing is changed, what was taken away is put back, since %s does not say what is "
                                 "in effect: %s",
                                 name, why);
                complain("%s, then run: exc-instance-connect disable", answered ? "take that Include out" : "fix this");
                return false;
        }
        return true;
}

/*
 * Without ours, sshd must not be worse off. If only ours kept its configuration whole, as where another file relies on the
 * AuthorizedKeysCommandUser in it, ours stays: an sshd that cannot start lets nobody in at all.
 */
static int check_left(const struct plan *plan, bool was_sound,
                      const struct sshd_answers without[static SSHD_SERVICES_MAX + 1]) {
        char why[SSHD_WHY_MAX];

        if (sshd_test(NULL, why) >= 0) {
                if (is_out_of_effect(plan, without))
                        return EXIT_DONE;
                put_back(plan);
                return EXIT_OWN_FAILURE;
        }
        if (!was_sound) {
                complain("sshd's configuration is broken, as it was before: %s", why);
                complain("sshd keeps running with its old settings; fix the configuration and run: systemctl reload "
                         "ssh.service");
                return EXIT_OWN_FAILURE;
        }
        put_back(plan);
        complain("nothing is changed, what was taken away is put back, since without it sshd's configuration is "
                 "broken: %s",
                 why);
        return EXIT_OWN_FAILURE;
}

static int carry_out(const struct plan *plan) {
        struct sshd_answers without[SSHD_SERVICES_MAX + 1] = {{.text = {NULL}}};
        char why[SSHD_WHY_MAX];
        bool installed = access(SSHD_PROGRAM, X_OK) == 0, was_sound = installed && sshd_test(NULL, why) >= 0;
        int status;

        if (!any(&plan->now)) {
                report("Nothing to take away.");
                return EXIT_DONE;
        }
        if (was_sound)
                ask_without(plan, without);
        status = take_away(plan);
        if (status == EXIT_DONE && installed)
                status = check_left(plan, was_sound, without);
        for (size_t i = 0; i < plan->n_sshds; i++)
                sshd_answers_clear(&without[i]);
        if (status == EXIT_DONE && installed)
                status = report_reload(plan, false);
        if (status == EXIT_DONE)
                report("To undo it: exc-instance-connect enable");
        return status;
}

static int run(const struct cli_line *line, const void *context) {
        bool dry_run = ((const struct options *)context)->dry_run;
        int status = report_begin(line->command->words), lock_fd = -EBADF;
        char why[SSHD_WHY_MAX] = "";
        struct plan plan;

        if (status != EXIT_DONE)
                return status;
        if (!dry_run) {
                lock_fd = own_files_lock(why);
                /* Without it, too: what our files name may be about to go. */
                if (lock_fd < 0)
                        complain("%s", why);
        }
        if (plan_look(&plan, why) < 0) {
                complain("nothing is changed: %s", why);
                status = EXIT_OWN_FAILURE;
        } else {
                report_notes(&plan);
                status = dry_run ? show(&plan) : carry_out(&plan);
                if (names_us(&plan) && status == EXIT_DONE)
                        status = EXIT_OWN_FAILURE;
                plan_clear(&plan);
        }
        own_files_unlock(lock_fd);
        return status;
}

const struct cli_command disable_command = {
        .words = "disable",
        .summary = "let sshd ask no more",
        .more = "Takes away what enable wrote, so that sshd is configured as it was before, and reloads it.\n"
                "A file that has been edited is put aside, and enable puts it back.\n",
        .tables = {admin_dry_run_options},
        .run = run,
};
