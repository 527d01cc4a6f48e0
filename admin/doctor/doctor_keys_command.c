/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_keys_command.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/doctor/doctor_clients.h"
#include "admin/doctor/doctor_reload.h"
#include "admin/sshd/drop_in.h"
#include "admin/sshd/keys_command.h"
#include "admin/sshd/own_files.h"
#include "admin/sshd/sshd_config.h"
#include "authkeys-helper/arguments.h"
#include "authkeys-helper/identity.h"
#include "common/safe_path.h"

#define ENABLE "exc-instance-connect enable"

enum {
        VERSION_EXPIRY_TIME = 901, /* that reads expiry-time= in UTC */
        PLACE_MAX = 256,           /* bytes of "FILE:LINE", or what is said of them */
        CHAINED_MAX = 1024,        /* bytes of a command that are shown */
};

bool doctor_command_is_ours(const char *command) {
        struct keys_command words;
        char path[PATH_MAX];

        if (!keys_command_split(command, &words))
                return false;
        return keys_command_is_ours(words.word[0]) || (realpath(words.word[0], path) && keys_command_is_ours(path));
}

static bool is_ours(const char *value) {
        return doctor_command_is_ours(value);
}

static bool is_other(const char *value) {
        return strcasecmp(value, "none") != 0 && !doctor_command_is_ours(value);
}

static bool one_of_ours(const char *path) {
        for (size_t i = 0; i < DROP_IN_FILES; i++)
                if (strcmp(path, drop_in_paths[i]) == 0)
                        return true;
        return false;
}

/*
 * Our own files are removed, and `enable` writes them again. A line elsewhere is for the administrator to edit.
 */
static struct remedy write_again(void) {
        struct remedy remove = {.command = ""}, enable = remedy_of(ENABLE), edit;
        struct sshd_line line;

        if (sshd_config_find(NULL, "AuthorizedKeysCommand", is_ours, &line) && !one_of_ours(line.file)) {
                edit = remedy_of("${EDITOR:-editor} +%u %s", line.number, line.file);
                enable = doctor_reload("ssh.service");
                return remedy_both(edit, enable);
        }
        for (size_t i = 0; i < DROP_IN_FILES; i++)
                if (access(drop_in_paths[i], F_OK) == 0) {
                        edit = remedy_of("rm %s", drop_in_paths[i]);
                        remove = remedy_both(remove, edit);
                }
        return remedy_both(remove, enable);
}

/* Whether the user that runs the helper may read the store. */
static bool look_at_user(struct examination *examination, const char *service, const char *user, bool chained) {
        struct remedy remedy = write_again();
        const struct passwd *entry = user ? getpwnam(user) : NULL;
        const struct group *group;
        uid_t uid = entry ? entry->pw_uid : 0;
        gid_t gid = entry ? entry->pw_gid : 0;

        if (!entry) {
                if (user && strcmp(user, HELPER_USER) == 0)
                        remedy = remedy_of("systemd-sysusers exc-instance-connect.conf");
                fail(&examination->findings, "sshd-keys-user", remedy,
                     "AuthorizedKeysCommandUser of %s is %s, which does not exist", service, user ? user : "not set");
                return false;
        }
        group = getgrnam(HELPER_USER);
        if (uid == 0 || (group && gid == group->gr_gid)) {
                pass(&examination->findings, "sshd-keys-user", "%s runs it as %s%s", service, user,
                     uid == 0 && !chained ? ", and it gives that up itself" : "");
                return true;
        }
        fail(&examination->findings, "sshd-keys-user", remedy,
             "AuthorizedKeysCommandUser of %s is %s, which is not in the group " HELPER_USER
             " and cannot read the store",
             service, user);
        return false;
}

static void look_at_form(struct examination *examination, const char *service, const struct arguments *asked,
                         int version) {
        struct remedy remedy = write_again();

        if (strcmp(asked->user, "%u") != 0)
                fail(&examination->findings, "sshd-keys-form", remedy, "%s passes %s for each user; it must be %%u",
                     service, asked->user);
        else if (!asked->fingerprint)
                found(&examination->findings, FINDING_LAX_FAILURE, "sshd-keys-form", remedy,
                      "%s passes %%u alone, so each key lets in any number of connections; it must be %%u %%f %%t "
                      "%%k",
                      service);
        else if (!asked->foreign_key && !asked->has_key)
                warn(&examination->findings, "sshd-keys-form", remedy,
                     "%s does not pass %%t %%k, so only fingerprints are compared", service);
        else if (asked->expiry_time && version > 0 && version < VERSION_EXPIRY_TIME)
                fail(&examination->findings, "sshd-keys-form", remedy,
                     "--expiry-time needs OpenSSH 9.1, and this is %d.%d: it refuses each key", version / 100,
                     version % 100);
        else
                pass(&examination->findings, "sshd-keys-form", "%s passes all arguments", service);
}

/* The words of a chained command as one text. */
static void join(char *const words[], char ret[static CHAINED_MAX]) {
        size_t used = 0;

        ret[0] = '\0';
        for (size_t i = 0; words[i] && used < CHAINED_MAX; i++) {
                int n = snprintf(ret + used, CHAINED_MAX - used, "%s%s", i > 0 ? " " : "", words[i]);

                used += n > 0 ? (size_t)n : 0;
        }
}

/* Which of our programs is run. In earlier versions one did both, and still has such a line executed by the other. */
static void look_at_program(struct examination *examination, const char *program, const struct arguments *asked) {
        struct remedy remedy = write_again();
        char path[PATH_MAX];
        bool chain = realpath(program, path) && strcmp(path, CHAIN_PROGRAM) == 0;

        if (!chain && asked->chain)
                warn(&examination->findings, "sshd-keys-form", remedy,
                     "%s has another command after it, as in earlier versions; write " CHAIN_PROGRAM, program);
        else if (chain && !asked->chain)
                fail(&examination->findings, "sshd-keys-form", remedy,
                     "%s has no command after --, and prints nothing without one", program);
}

/* A fault of the other command's does not touch our keys, so it is a warning. */
static void look_at_chain(struct examination *examination, const struct arguments *asked, const char *user) {
        struct remedy remedy = write_again();
        char chained[CHAINED_MAX];
        struct safe_path path;

        if (!asked->chain)
                return;
        (void)safe_path(asked->chain[0], &path);
        join(asked->chain, chained);
        if (path.fault == SAFE_PATH_MISSING || path.fault == SAFE_PATH_RELATIVE) {
                warn(&examination->findings, "sshd-chain", remedy,
                     "the command that was chained, %s, cannot be run: %s", asked->chain[0],
                     path.fault == SAFE_PATH_RELATIVE ? "it is no absolute path" : strerror(path.error));
        } else if (path.fault > SAFE_PATH_ROOT_GROUP) {
                /* The owner must look at what it is now, for it may have been changed: no command can do that. */
                warn(&examination->findings, "sshd-chain", NO_REMEDY,
                     "the command that was chained is not run, for others than root can change %s", path.at);
        } else if ((path.program_mode & 0111) == 0) {
                warn(&examination->findings, "sshd-chain", remedy_of("chmod a+x %s", path.program),
                     "the command that was chained, %s, is not executable", path.program);
        } else if (asked->chain_user && !getpwnam(asked->chain_user))
                warn(&examination->findings, "sshd-chain", remedy,
                     "the command that was chained is to be run as %s, which does not exist", asked->chain_user);
        else if (asked->chain_user && strcmp(user, "root") != 0 && strcmp(user, asked->chain_user) != 0)
                warn(&examination->findings, "sshd-chain", remedy,
                     "the command that was chained is to be run as %s, so AuthorizedKeysCommandUser must be root",
                     asked->chain_user);
        else
                pass(&examination->findings, "sshd-chain", "%s comes after ours", chained);
}

static void look_at_ours(struct examination *examination, const char *service, const struct sshd_keys_command *command,
                         int version) {
        struct keys_command words;
        struct arguments asked;
        const char *why = "";

        if (!keys_command_split(command->command, &words) ||
            arguments_parse(words.n, words.word, &asked, &why) != ARGUMENTS_RUN) {
                fail(&examination->findings, "sshd-keys-form", write_again(),
                     "%s runs our command with arguments that it does not take: %s: %s", service, why,
                     command->command);
                return;
        }
        look_at_program(examination, words.word[0], &asked);
        if (look_at_user(examination, service, command->user, asked.chain != NULL))
                look_at_form(examination, service, &asked, version);
        look_at_chain(examination, &asked, command->user ? command->user : "");
}

/* Whether the first of these commands is ours, and runs the other one after it. */
static bool runs_after_ours(const char *ours, const char *other) {
        struct keys_command words, wanted;
        struct arguments asked;
        const char *why = "";
        char *chained;
        bool same;
        int i = 0;

        if (!keys_command_split(ours, &words) || arguments_parse(words.n, words.word, &asked, &why) != ARGUMENTS_RUN ||
            !asked.chain || drop_in_chain(other, &chained) < 0)
                return false;
        same = keys_command_split(chained, &wanted);
        free(chained);
        while (same && i < wanted.n && asked.chain[i] && strcmp(asked.chain[i], wanted.word[i]) == 0)
                i++;
        return same && i == wanted.n && !asked.chain[i];
}

/* The command that counts where `place` stands: for all, or for a Match block. `theirs`: as if no file of ours were there. */
static const struct config_place *first_with(const struct sshd_config *config, const struct config_place *place,
                                             bool theirs) {
        if (place->always)
                return sshd_config_plain(config, theirs).command;
        return sshd_config_pair(config, place->block, theirs).command;
}

static void say_where(const struct config_place *place, char ret[static PLACE_MAX]) {
        if (place->file)
                (void)snprintf(ret, PLACE_MAX, "%s:%u", place->file, place->line);
        else
                (void)snprintf(ret, PLACE_MAX, "sshd's command line");
}

static struct remedy edit_place(const struct config_place *place, const struct sshd_service *service) {
        struct remedy edit = {.command = ""}, reload = {.command = ""};

        if (!place->file)
                return edit;
        edit = remedy_of("${EDITOR:-editor} +%u %s", place->line, place->file);
        if (service)
                reload = doctor_reload(service->name);
        return remedy_both(edit, reload);
}

/* A line that sets another command, which is not the first: sshd does not run it, and only ours may. */
static void look_at_later(struct examination *examination, const struct sshd_service *service,
                          const struct sshd_config *config, const struct own_files *own,
                          const struct config_place *place) {
        const struct config_place *first = first_with(config, place, false);
        bool ours = doctor_command_is_ours(first->value);
        char at[PLACE_MAX], first_at[PLACE_MAX];
        struct remedy remedy;

        if (first == place || strcmp(first->value, place->value) == 0 ||
            (ours && runs_after_ours(first->value, place->value)))
                return;
        if (!ours || first_with(config, place, true) != place)
                /* It would not be run without ours either. */
                remedy = edit_place(place, service);
        else if (first->own >= 0 && drop_in_unedited(own->text[first->own]))
                remedy = remedy_of(ENABLE);
        else
                remedy = edit_place(first, service);
        say_where(place, at);
        say_where(first, first_at);
        warn(&examination->findings, "sshd-chain", remedy, "%s has the command %s, which is not run: %s comes first%s",
             at, place->value, first_at, ours ? ", and does not run it after ours" : "");
}

/* Each command that is configured, since sshd takes the first one without a word about the others. */
static void look_at_all(struct examination *examination, const struct sshd_service *service) {
        struct own_files own = {.text = {NULL}}, disabled = {.text = {NULL}};
        struct sshd_config *config = NULL;
        char why[SSHD_WHY_MAX];

        if (own_files_load(&own, &disabled, why) < 0 ||
            sshd_config_read(service ? service->arguments : NULL, &own, &config, why) < 0)
                warn(&examination->findings, "sshd-chain", NO_REMEDY,
                     "it is not known whether another command is set: %s", why);
        for (size_t i = 0; config && i < config->n_places; i++)
                if (config->place[i].word == CONFIG_COMMAND && is_other(config->place[i].value))
                        look_at_later(examination, service, config, &own, &config->place[i]);
        sshd_config_free(config);
        own_files_clear(&own);
        own_files_clear(&disabled);
}

/* --- which is in effect, for whom ---------------------------------------------------------------------------------- */

struct judging {
        const char *service, *user; /* "": any */
        bool other;                 /* there is another sshd that asks ours */
};

static void judge_command(void *context, const struct sshd_client *client, struct findings *to) {
        struct sshd_keys_command command = {.command = NULL};
        const struct judging *judging = context;
        enum finding_status status = judging->other ? FINDING_WARNING : FINDING_FAILURE;
        const char *of = *judging->user ? " for " : "";

        (void)sshd_keys_command_of(client->effective, &command);
        if (command.command && doctor_command_is_ours(command.command))
                pass(to, "sshd-keys-command", "%s runs exc-authorized-keys%s%s", judging->service, of, judging->user);
        else if (command.command)
                found(to, status, "sshd-keys-command", remedy_of(ENABLE), "%s runs %s%s%s, and not exc-authorized-keys",
                      judging->service, command.command, of, judging->user);
        else
                found(to, status, "sshd-keys-command", remedy_of(ENABLE), "%s runs no AuthorizedKeysCommand%s%s",
                      judging->service, of, judging->user);
        sshd_keys_command_clear(&command);
}

bool doctor_keys_command_of(const struct sshd_clients *clients, size_t *i, struct sshd_keys_command *ret) {
        for (; *i < clients->n; (*i)++) {
                if (!sshd_keys_command_of(clients->client[*i].effective, ret))
                        continue;
                if (ret->command && doctor_command_is_ours(ret->command))
                        return true;
                sshd_keys_command_clear(ret);
        }
        return false;
}

static bool asks_ours(const struct sshd_clients *clients) {
        struct sshd_keys_command command = {.command = NULL};
        size_t i = 0;
        bool ours = clients && doctor_keys_command_of(clients, &i, &command);

        sshd_keys_command_clear(&command);
        return ours;
}

static bool same(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Each of ours that is in effect for some client, mostly one. */
static void look_at_each_of_ours(struct examination *examination, const char *service,
                                 const struct sshd_clients *clients) {
        struct sshd_keys_command last = {.command = NULL}, command = {.command = NULL};

        for (size_t i = 0; doctor_keys_command_of(clients, &i, &command); i++) {
                if (!same(last.command, command.command) || !same(last.user, command.user))
                        look_at_ours(examination, service, &command, examination->sshd_version);
                sshd_keys_command_clear(&last);
                last = command; /* transferred */
        }
        sshd_keys_command_clear(&last);
}

void doctor_keys_command(struct examination *examination, const struct sshd_service *services,
                         struct sshd_clients *const clients[], size_t n) {
        struct judging judging = {.user = examination->user ? examination->user : ""};

        for (size_t i = 0; i < n || (n == 0 && i == 0); i++) {
                judging.service = n > 0 ? services[i].name : "sshd";
                judging.other = false;
                for (size_t j = 0; j < n; j++)
                        judging.other |= j != i && asks_ours(clients[j]);
                if (clients[i]) {
                        doctor_clients_judge(examination, clients[i], judge_command, &judging);
                        look_at_each_of_ours(examination, judging.service, clients[i]);
                }
                look_at_all(examination, n > 0 ? &services[i] : NULL);
        }
}
