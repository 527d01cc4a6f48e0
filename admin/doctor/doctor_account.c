/* SPDX-License-Identifier: Apache-2.0 */
/* The user who is to log in: the account, and what sshd's configuration allows it. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_clients.h"
#include "admin/doctor/doctor_reload.h"
#include "admin/doctor/doctor_session.h"
#include "admin/sshd/pattern.h"
#include "admin/sshd/sshd.h"

enum { GROUPS_MAX = 1024 };

struct account {
        struct examination *examination;
        char name[GRANT_USER_MAX]; /* its own, by which sshd compares its lists */
        uid_t uid;
        gid_t gid;
        gid_t groups[GROUPS_MAX];
        int n_groups;
        const char *effective; /* sshd -T for this user, from nowhere special; NULL: not known */
};

/* Who may log in is for the administrator to decide. */
static struct remedy edit_setting(const char *keyword) {
        return doctor_edit(keyword, "ssh.service");
}

static void look_at_nologin(struct account *account) {
        static const char *const paths[] = {"/etc/nologin", "/run/nologin", "/var/run/nologin"};
        struct findings *findings = &account->examination->findings;

        if (account->uid == 0)
                return; /* it is not meant for root */
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {

                if (access(paths[i], F_OK) == 0) {
                        fail(findings, "nologin", remedy_of("rm -f %s", paths[i]), "%s lets nobody but root log in",
                             paths[i]);
                        return;
                }
        }
        pass(findings, "nologin", "logins are open");
}

static void judge_root(void *context, const struct sshd_client *client, struct findings *to) {
        const struct account *account = context;
        char value[64] = "";

        if (account->uid != 0 || !sshd_setting(client->effective, "permitrootlogin", 0, value, sizeof(value)))
                return;
        if (strcasecmp(value, "no") == 0 || strcasecmp(value, "forced-commands-only") == 0)
                fail(to, "sshd-root", edit_setting("PermitRootLogin"), "PermitRootLogin is %s", value);
        else
                pass(to, "sshd-root", "PermitRootLogin is %s", value);
}

/* Whether an entry of the list is about the user. `ret_set`: whether there is one at all. */
static bool match_user(const struct account *account, const struct sshd_client *client, const char *setting,
                       bool *ret_set) {
        char entry[512];

        for (size_t i = 0; sshd_setting(client->effective, setting, i, entry, sizeof(entry)); i++) {
                *ret_set = true;
                if (pattern_user(entry, account->examination->sshd_version, account->name, client->value[MATCH_HOST],
                                 client->value[MATCH_ADDRESS]))
                        return true;
        }
        return false;
}

static bool match_group(const struct account *account, const struct sshd_client *client, const char *setting,
                        bool *ret_set) {
        char entry[512];

        for (size_t i = 0; sshd_setting(client->effective, setting, i, entry, sizeof(entry)); i++) {
                *ret_set = true;
                for (int j = 0; j < account->n_groups; j++) {
                        const struct group *group = getgrgid(account->groups[j]);

                        if (group && pattern_matches(entry, group->gr_name))
                                return true;
                }
        }
        return false;
}

/* Whether the list has the account's name, and sshd reads it as another user's from a host. */
static bool misread(const struct account *account, const struct sshd_client *client, const char *setting) {
        char entry[512];

        for (size_t i = 0; sshd_setting(client->effective, setting, i, entry, sizeof(entry)); i++)
                if (strcmp(entry, account->name) == 0)
                        return strchr(entry, '@') != NULL;
        return false;
}

/* The account's name with "?" for "@". */
static void say_pattern(const struct account *account, char ret[static GRANT_USER_MAX]) {
        (void)snprintf(ret, GRANT_USER_MAX, "%s", account->name);
        for (char *at = ret; *at; at++)
                if (*at == '@')
                        *at = '?';
}

/* In sshd's order (auth.c, allowed_user()). What is not set allows. */
static void judge_lists(void *context, const struct sshd_client *client, struct findings *to) {
        bool deny_users = false, allow_users = false, deny_groups = false, allow_groups = false, allowed;
        const struct account *account = context;
        char pattern[GRANT_USER_MAX];

        say_pattern(account, pattern);
        allowed = match_user(account, client, "allowusers", &allow_users) || !allow_users;
        if (match_user(account, client, "denyusers", &deny_users))
                fail(to, "sshd-user", edit_setting("DenyUsers"), "sshd's DenyUsers names %s", account->name);
        else if (!allowed && misread(account, client, "allowusers"))
                fail(to, "sshd-user", edit_setting("AllowUsers"),
                     "sshd's AllowUsers does not name %s, since sshd reads that as USER@HOST; write %s", account->name,
                     pattern);
        else if (!allowed)
                fail(to, "sshd-user", edit_setting("AllowUsers"), "sshd's AllowUsers does not name %s", account->name);
        else if (match_group(account, client, "denygroups", &deny_groups))
                fail(to, "sshd-user", edit_setting("DenyGroups"), "sshd's DenyGroups names a group of %s",
                     account->name);
        else if (!match_group(account, client, "allowgroups", &allow_groups) && allow_groups)
                fail(to, "sshd-user", edit_setting("AllowGroups"), "sshd's AllowGroups names no group of %s",
                     account->name);
        else if (misread(account, client, "denyusers"))
                warn(to, "sshd-user", edit_setting("DenyUsers"),
                     "sshd's DenyUsers does not keep %s out, since sshd reads that as USER@HOST; write %s",
                     account->name, pattern);
        else
                pass(to, "sshd-user", "sshd lets %s in", account->name);
}

/* Its groups are looked up once for all clients. */
static void look_at_sshd(struct account *account, const struct sshd_clients *clients) {
        account->n_groups = GROUPS_MAX;
        if (getgrouplist(account->name, account->gid, account->groups, &account->n_groups) < 0)
                account->n_groups = GROUPS_MAX;
        doctor_clients_judge(account->examination, clients, judge_root, account);
        doctor_clients_judge(account->examination, clients, judge_lists, account);
}

void doctor_account(struct examination *examination) {
        struct account account = {.examination = examination};
        struct sshd_clients *clients = NULL;
        const struct passwd *entry;
        char why[SSHD_WHY_MAX];

        errno = 0;
        entry = getpwnam(examination->user);
        if (!entry) {
                int error = errno;

                if (error == 0 || error == ENOENT || error == ESRCH)
                        fail(&examination->findings, "user-exists",
                             remedy_of("useradd --create-home --shell /bin/bash %s", examination->user),
                             "there is no user %s here", examination->user);
                else
                        fail(&examination->findings, "user-exists", NO_REMEDY, "%s cannot be looked up: %s",
                             examination->user, strerror(error));
                return;
        }
        (void)snprintf(account.name, sizeof(account.name), "%s", entry->pw_name);
        if (strcmp(account.name, examination->user) == 0)
                pass(&examination->findings, "user-exists", "%s is user %u", account.name, entry->pw_uid);
        else
                pass(&examination->findings, "user-exists",
                     "%s is user %u, whose own name is %s: agent.conf and sshd's AllowUsers and DenyUsers go by that",
                     examination->user, entry->pw_uid, account.name);
        account.uid = entry->pw_uid;
        account.gid = entry->pw_gid;
        if (!examination->sshd_hangs &&
            sshd_clients_ask(NULL, examination->user, examination->from, examination->sshd_version, &clients, why) >= 0)
                account.effective = clients->client[0].effective;
        entry = getpwnam(account.name);
        if (entry)
                doctor_session(examination, entry, clients);
        look_at_nologin(&account);
        if (clients)
                look_at_sshd(&account, clients);
        else if (!examination->sshd_hangs)
                fail(&examination->findings, "sshd-user", NO_REMEDY,
                     "sshd -T fails, so it is not known whether sshd lets %s in: %s", account.name, why);
        sshd_clients_free(clients);
}
