/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-instance-connect enable:
 *  1. sees what each sshd of this machine asks now, and what it would ask (admin/enable/sshd_plan.h); changes nothing if that
 *     cannot be made right, and says what an administrator can do;
 *  2. writes our files;
 *  3. asks sshd whether it takes the whole configuration, and whether ours is in effect and nothing else has changed; if
 *     not, puts back what was;
 *  4. reloads those that run.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/enable/sshd_plan.h"
#include "admin/enable/sshd_report.h"
#include "admin/sshd/sshd_host_keys.h"
#include "admin/system_user.h"
#include "agent/listener.h"
#include "authkeys-helper/identity.h"
#include "cli/output.h"
#include "wire/refusal.h"

static const char *value_of(const struct config_place *place) {
        return place && strcasecmp(place->value, "none") != 0 ? place->value : NULL;
}

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* That this sshd says what was planned. */
static int check_planned(const struct plan_sshd *sshd, char why[static SSHD_WHY_MAX]) {
        struct config_pair planned = sshd_config_plain(sshd->after, false);
        char *const *arguments = plan_arguments(sshd);
        struct sshd_keys_command said = {.command = NULL};
        int r;

        r = sshd_test(arguments, why);
        if (r >= 0)
                r = sshd_keys_command(arguments, NULL, &said, why);
        if (r >= 0 &&
            (!same_text(said.command, value_of(planned.command)) || !same_text(said.user, value_of(planned.user)))) {
                (void)snprintf(why, SSHD_WHY_MAX, "%s asks \"%s\" as %s all the same",
                               sshd->service ? sshd->service->name : "sshd", said.command ? said.command : "nobody",
                               said.user ? said.user : "nobody");
                r = -EBADMSG;
        }
        sshd_keys_command_clear(&said);
        return r;
}

static int check_about(const char *about, const char *answer, char why[static SSHD_WHY_MAX]) {
        struct sshd_keys_command said;
        enum keys_command_kind kind;
        int r = 0;

        if (!sshd_keys_command_of(answer, &said)) {
                (void)snprintf(why, SSHD_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        kind = keys_command_kind(said.command, said.user);
        /* None at all is what a Match block may want, as has been said. */
        if (kind != KEYS_COMMAND_OURS && kind != KEYS_COMMAND_NONE) {
                (void)snprintf(why, SSHD_WHY_MAX, "for %s sshd asks \"%s\" as %s all the same", about, said.command,
                               said.user ? said.user : "nobody");
                r = -EBADMSG;
        }
        sshd_keys_command_clear(&said);
        return r;
}

/* That this one says of everything else what it said before, and of us what it must. */
static int check_answers(const struct plan *plan, size_t index, char why[static SSHD_WHY_MAX]) {
        const struct sshd_answers *without = plan->without + index;
        struct sshd_answers with = {.text = {NULL}};
        struct sshd_change change;
        int r;

        r = sshd_answers_ask(plan_arguments(plan->sshds + index), plan->specs + index, without, &with, why);
        for (size_t i = 0; i < plan->specs[index].text.n && index == 0 && r >= 0; i++)
                if (with.text[i + 1])
                        r = check_about(plan->specs[index].about.item[i], with.text[i + 1], why);
        if (r >= 0) {
                r = sshd_answers_compare(without, &with, plan->specs + index, &change);
                if (r > 0) {
                        sshd_change_say(plan_name(plan->sshds + index), &change, why);
                        sshd_change_clear(&change);
                        r = -EBADMSG;
                } else if (r < 0)
                        (void)snprintf(why, SSHD_WHY_MAX, "out of memory");
        }
        sshd_answers_clear(&with);
        return r;
}

/* Which of those that ask us are in order before anything is changed: no other can be judged by what it says then. */
static void find_sound(const struct plan *plan, bool ret[static SSHD_SERVICES_MAX + 1]) {
        char why[SSHD_WHY_MAX];

        for (size_t i = 0; i < plan->n_sshds; i++) {
                const struct plan_sshd *sshd = plan->sshds + i;

                ret[i] = sshd->after && (i == 0 || (sshd->asks && sshd_test(sshd->service->arguments, why) >= 0));
        }
}

static int check_effect(const struct plan *plan, const bool sound[static SSHD_SERVICES_MAX + 1],
                        char why[static SSHD_WHY_MAX]) {
        int r = 0;

        for (size_t i = 0; i < plan->n_sshds && r >= 0; i++)
                if (sound[i])
                        r = check_planned(plan->sshds + i, why);
        for (size_t i = 0; i < plan->n_sshds && r >= 0; i++)
                if (plan->without[i].text[0])
                        r = check_answers(plan, i, why);
        return r;
}

static void print_faults(const struct plan *plan) {
        complain("nothing is changed: it would not be safe here.");
        for (size_t i = 0; i < plan->n_faults; i++) {
                (void)fputc('\n', stderr);
                report_text(stderr, plan->faults[i]);
        }
}

static bool changes(const struct plan *plan) {
        for (int i = 0; i < DROP_IN_FILES; i++)
                if (!same_text(plan->now.text[i], plan->then.text[i]))
                        return true;
        return false;
}

static int change(const struct plan *plan) {
        bool sound[SSHD_SERVICES_MAX + 1];
        char why[SSHD_WHY_MAX], ignored[SSHD_WHY_MAX];

        find_sound(plan, sound);
        if (own_files_change(&plan->now, &plan->then, why) < 0) {
                complain("nothing is changed: %s", why);
                return EXIT_OWN_FAILURE;
        }
        if (check_effect(plan, sound, why) < 0) {
                if (own_files_change(&plan->then, &plan->now, ignored) < 0)
                        complain("what was written cannot be taken back: %s", ignored);
                complain("nothing is changed, what was written is taken back: %s", why);
                return EXIT_OWN_FAILURE;
        }
        for (int i = 0; i < DROP_IN_FILES; i++)
                if (plan->restored[i])
                        (void)own_files_forget_disabled(plan->from[i]);
        report_changes(&plan->now, &plan->then);
        return report_reload(plan, false);
}

/* Where sshd runs what is not there, it cannot run what is chained behind it either. */
static int check_helper(void) {
        static const char *const programs[] = {HELPER_PROGRAM, CHAIN_PROGRAM};

        for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
                if (access(programs[i], X_OK) < 0) {
                        complain("nothing is changed: %s cannot be run: %s", programs[i], strerror(errno));
                        return EXIT_OWN_FAILURE;
                }
        if (!getpwnam(HELPER_USER)) {
                complain("nothing is changed: there is no user %s", HELPER_USER);
                complain("run: systemd-sysusers, and then: exc-instance-connect enable");
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

/* What a push is answered with is wrong where sshd has other keys than those that the agent reads. */
static void note_host_keys(const struct plan *plan) {
        struct strv paths = {.n = 0};
        struct config *config;
        char why[SSHD_WHY_MAX], *line;
        size_t named = 0;

        if (config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return;
        for (size_t i = 0; i < plan->n_sshds; i++)
                if (plan->sshds[i].asks)
                        (void)sshd_host_keys_add(plan_arguments(plan->sshds + i), &paths, why);
        for (size_t i = 0; i < paths.n; i++)
                named += sshd_host_key_is_named(config, paths.item[i]);
        line = sshd_host_keys_line(&paths);
        /* With HostKeyFiles=, some may have been left out on purpose. */
        if (!config->error && line && named < paths.n && (named == 0 || config->host_key_files.n == 0))
                report("Note: sshd has host keys that the agent does not read for the answer to a push. In " CONFIG_DIR
                       "/agent.conf, put this line below [Agent], and then run "
                       "systemctl restart exc-instance-connect.service: %s",
                       line);
        free(line);
        strv_clear(&paths);
        config_free(config);
}

/* sysusers.d leaves a user that was there before the package as it is. */
static void note_users(void) {
        static const char *const names[] = {AGENT_USER, HELPER_USER, LISTENER_RELAY_USER};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct system_user user;

                if (system_user_look(names[i], &user) == SYSTEM_USER_OTHER_GROUP)
                        report("Note: the primary group of %s is %u, and must be the group of that name, %u, or pushed "
                               "keys are not found. Run usermod --gid %s %s",
                               names[i], user.primary, user.group, names[i], names[i]);
        }
}

static void print_plan(const struct plan *plan) {
        report("Found: %s", plan->found);
        report_notes(plan);
        /* Nothing is reported of what is not done. */
        for (int i = 0; i < DROP_IN_FILES && plan->n_faults == 0; i++)
                if (plan->restored[i])
                        report("Note: %s has been edited, was put aside, and is put back.", drop_in_paths[i]);
                else if (plan->edited[i])
                        report("Note: %s has been edited, and is kept as it is.", drop_in_paths[i]);
        if (plan->n_faults == 0) {
                note_users();
                note_host_keys(plan);
        }
}

static int carry_out(const struct plan *plan, bool dry_run) {
        int status;

        print_plan(plan);
        if (plan->n_faults > 0) {
                /* In this order on one screen too. */
                (void)fflush(stdout);
                print_faults(plan);
                return EXIT_OWN_FAILURE;
        }
        if (dry_run) {
                report_diff(&plan->now, &plan->then);
                return EXIT_DONE;
        }
        if (changes(plan))
                status = change(plan);
        else {
                report("Nothing to change.");
                status = report_reload(plan, true);
        }
        if (status == EXIT_DONE)
                report("To undo it: exc-instance-connect disable");
        return status;
}

static int run(const struct cli_line *line, const void *context) {
        bool dry_run = ((const struct options *)context)->dry_run;
        int status = report_begin(line->command->words), lock_fd = -EBADF;
        char why[SSHD_WHY_MAX] = "";
        struct plan plan;

        if (status == EXIT_DONE)
                status = check_helper();
        if (status != EXIT_DONE)
                return status;
        if (!dry_run) {
                lock_fd = own_files_lock(why);
                if (lock_fd < 0) {
                        complain("nothing is changed: %s", why);
                        return EXIT_OWN_FAILURE;
                }
        }
        if (plan_make(&plan, why) < 0) {
                complain("nothing is changed: %s", why);
                complain("fix this and run: exc-instance-connect enable");
                status = EXIT_OWN_FAILURE;
        } else {
                status = carry_out(&plan, dry_run);
                plan_clear(&plan);
        }
        own_files_unlock(lock_fd);
        return status;
}

const struct cli_command enable_command = {
        .words = "enable",
        .summary = "let sshd ask for keys",
        .more = "Writes a file in /etc/ssh/sshd_config.d, by which sshd asks exc-authorized-keys(8)\n"
                "and, behind it, the AuthorizedKeysCommand that was there before, and reloads sshd.\n"
                "Where that would not be safe, nothing is changed, and what to do is printed.\n",
        .tables = {admin_dry_run_options},
        .run = run,
};
