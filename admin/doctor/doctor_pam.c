/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PAM's account stage, which sshd asks after the key: the dates in /etc/shadow are judged here, and PAM itself is asked where
 * no module changes anything by that, or where the administrator wants it (--pam).
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/pam_ask.h"
#include "admin/doctor/pam_stack.h"
#include "admin/doctor/password_age.h"
#include "admin/sshd/sshd.h"

#define SERVICE "sshd"
#define SOME_CLIENT "127.0.0.1"

enum {
        DAY_S = 24 * 60 * 60,
        ASK_MS = 15 * 1000,
};

enum pam_verdict {
        PAM_NOT_ASKED,
        PAM_LETS_IN,
        PAM_WANTS_CHANGE, /* of the password */
        PAM_REFUSES,
};

struct account {
        struct findings *findings;
        const char *client; /* its address, as PAM is told */
        bool any_client;    /* it stands for all: none was given */
        char name[GRANT_USER_MAX];
        enum password_age age, age_before; /* as Linux-PAM since 1.7, and before, sees it */
        bool locked;                       /* the password */
        struct pam_stack stack;
        enum pam_verdict verdict;
};

static struct remedy lastday(const struct account *account) {
        return remedy_of("chage --lastday \"$(date +%%F)\" %s", account->name);
}

/* sshd without PAM looks for these itself (auth.c, allowed_user(); auth-shadow.c). It lets the last day pass. */
static void look_without_pam(struct account *account, const struct spwd *shadow, long today) {
        if (shadow && shadow->sp_expire >= 0 && shadow->sp_expire < today)
                fail(account->findings, "user-account", remedy_of("chage --expiredate -1 %s", account->name),
                     "the account of %s has expired", account->name);
        else if (shadow && shadow->sp_pwdp && shadow->sp_pwdp[0] == '!')
                fail(account->findings, "user-account", remedy_of("usermod --password '*' %s", account->name),
                     "the account of %s is locked (\"!\"), which sshd without PAM refuses", account->name);
        else
                pass(account->findings, "user-account", "%s is neither locked nor expired", account->name);
        pass(account->findings, "pam-account", "sshd does not ask PAM");
}

/* What the shadow entry says, as the beginning of a sentence, and what helps. */
static struct remedy describe(const struct account *account, enum password_age age, char ret[static FINDING_TEXT_MAX]) {
        if (age == PASSWORD_AGE_ACCOUNT_EXPIRED) {
                (void)snprintf(ret, FINDING_TEXT_MAX, "the account of %s has expired", account->name);
                return remedy_of("chage --expiredate -1 %s", account->name);
        }
        if (age == PASSWORD_AGE_INACTIVE)
                (void)snprintf(ret, FINDING_TEXT_MAX, "the password of %s has expired, and is inactive by now",
                               account->name);
        else if (account->locked)
                (void)snprintf(ret, FINDING_TEXT_MAX,
                               "the password of %s must be changed first, and is locked, so that passwd cannot change "
                               "it",
                               account->name);
        else
                (void)snprintf(ret, FINDING_TEXT_MAX, "the password of %s must be changed first", account->name);
        return lastday(account);
}

static const char *consequence(const struct account *account, enum password_age age) {
        if (age != PASSWORD_AGE_CHANGE)
                return ", and PAM refuses the account";
        return account->locked ? ": nobody can log in with this account"
                               : ": sshd runs no command until then, and only passwd on a terminal";
}

static int code_of(enum password_age age) {
        switch (age) {
        case PASSWORD_AGE_FINE:
                return PAM_SUCCESS;
        case PASSWORD_AGE_CHANGE:
                return PAM_NEW_AUTHTOK_REQD;
        case PASSWORD_AGE_INACTIVE:
                return PAM_AUTHTOK_EXPIRED;
        case PASSWORD_AGE_ACCOUNT_EXPIRED:
                break;
        }
        return PAM_ACCT_EXPIRED;
}

/* There are days on which versions of PAM differ; its answer shows which it is. */
static enum password_age choose_age(const struct account *account) {
        if (account->verdict == PAM_NOT_ASKED)
                return account->age != PASSWORD_AGE_FINE ? account->age : account->age_before;
        if ((account->verdict == PAM_WANTS_CHANGE) == (account->age == PASSWORD_AGE_CHANGE))
                return account->age;
        return account->age_before;
}

/* Whether it surely keeps the user out. */
static bool is_in_effect(const struct account *account, enum password_age age) {
        switch (account->verdict) {
        case PAM_LETS_IN:
                return false;
        case PAM_WANTS_CHANGE:
                return age == PASSWORD_AGE_CHANGE;
        case PAM_REFUSES:
                return true;
        case PAM_NOT_ASKED:
                break;
        }
        return account->age != PASSWORD_AGE_FINE && account->age_before != PASSWORD_AGE_FINE &&
               pam_stack_heeds(&account->stack, code_of(account->age)) &&
               pam_stack_heeds(&account->stack, code_of(account->age_before));
}

/* Whether the shadow entry is what PAM's answer comes from. */
static bool look_at_shadow(const struct account *account) {
        enum password_age age = choose_age(account);
        char text[FINDING_TEXT_MAX];
        struct remedy remedy;

        if (age == PASSWORD_AGE_FINE) {
                pass(account->findings, "user-account", "neither the account nor the password of %s has expired",
                     account->name);
                return false;
        }
        remedy = describe(account, age, text);
        if (is_in_effect(account, age))
                fail(account->findings, "user-account", remedy, "%.400s%s", text, consequence(account, age));
        else if (account->verdict == PAM_NOT_ASKED)
                found(account->findings, FINDING_OPEN_FAILURE, "user-account", remedy,
                      "%.400s; whether PAM lets %.100s in depends on its version or on other modules", text,
                      account->name);
        else
                pass(account->findings, "user-account", "%.400s; PAM does not refuse that", text);
        return (account->verdict == PAM_WANTS_CHANGE && age == PASSWORD_AGE_CHANGE) ||
               (account->verdict == PAM_REFUSES && age != PASSWORD_AGE_CHANGE);
}

/* " by pam_access.so (FILE line N)" where one module alone can be it, "" where none can, else their names. */
static const struct pam_entry *name_refusing(const struct account *account, char *ret, size_t size) {
        const struct pam_entry *first = NULL;
        size_t n = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < account->stack.n; i++) {
                const struct pam_entry *entry = &account->stack.entry[i];

                if (pam_entry_is_plain(entry))
                        continue;
                (void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%.40s", n == 0 ? ", perhaps by " : " or ",
                               entry->module);
                if (n++ == 0)
                        first = entry;
        }
        if (n == 1)
                (void)snprintf(ret, size, " by %.40s (%.200s line %u)", first->module, first->file, first->line);
        return first;
}

/* An editor at what the module goes by. */
static struct remedy edit_entry(const struct pam_entry *entry) {
        const char *option = "accessfile=", *file = "/etc/security/access.conf", *own;
        char path[PAM_ARGUMENTS_MAX];

        if (!entry)
                return NO_REMEDY;
        if (strcmp(entry->module, "pam_access.so") != 0)
                return remedy_of("${EDITOR:-editor} +%u %s", entry->line, entry->file);
        own = strstr(entry->arguments, option);
        if (own) {
                own += strlen(option);
                (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(own, " \t"), own);
                file = path;
        }
        return remedy_of("${EDITOR:-editor} %s", file);
}

/* The module by which another client may get another answer, or NULL. */
static const struct pam_entry *about_others(const struct account *account) {
        return account->any_client ? pam_stack_about_client(&account->stack) : NULL;
}

static void look_at_refusal(struct account *account, const struct pam_answer *answer) {
        const struct pam_entry *by_client = about_others(account), *first;
        char by[320], client[160] = "";

        first = name_refusing(account, by, sizeof(by));
        if (by_client)
                (void)snprintf(client, sizeof(client), "; %.40s may let in other clients than %.64s", by_client->module,
                               account->client);
        found(account->findings, by_client ? FINDING_OPEN_FAILURE : FINDING_FAILURE, "pam-account", edit_entry(first),
              "PAM refuses %.256s%s: %s%s%.120s%s", account->name, by, answer->text, answer->message[0] ? ": " : "",
              answer->message, client);
}

static bool has_failed(const struct findings *findings, const char *name) {
        for (size_t i = 0; i < findings->n; i++)
                if (strcmp(findings->at[i].name, name) == 0 && findings->at[i].status == FINDING_FAILURE)
                        return true;
        return false;
}

static void look_at_answer(struct account *account, const struct pam_answer *answer) {
        const struct pam_entry *by_client = about_others(account);
        bool explained;

        account->verdict = answer->code == PAM_SUCCESS            ? PAM_LETS_IN
                           : answer->code == PAM_NEW_AUTHTOK_REQD ? PAM_WANTS_CHANGE
                                                                  : PAM_REFUSES;
        explained = look_at_shadow(account) ||
                    (account->verdict == PAM_REFUSES && has_failed(account->findings, "nologin"));
        if (explained)
                return;
        if (account->verdict == PAM_REFUSES)
                look_at_refusal(account, answer);
        else if (account->verdict == PAM_WANTS_CHANGE)
                fail(account->findings, "pam-account", NO_REMEDY,
                     "PAM wants a new password of %s: sshd runs no command until then, and only passwd on a terminal",
                     account->name);
        else if (by_client)
                warn(account->findings, "pam-account", NO_REMEDY,
                     "PAM lets %s in from %s; %s (%s line %u) may refuse other clients", account->name, account->client,
                     by_client->module, by_client->file, by_client->line);
        else
                pass(account->findings, "pam-account", "PAM lets %s in, asked as for a client from %s", account->name,
                     account->client);
}

static const char *effect_of(const struct pam_entry *entry) {
        return strcmp(entry->module, "pam_faillock.so") == 0 || strcmp(entry->module, "pam_tally2.so") == 0
                       ? "sets its count of failures to 0"
                       : "may change something";
}

/* Why PAM is not asked, or NULL where it is. */
static const char *reason_not_to_ask(const struct examination *examination, struct account *account,
                                     const char *service, char why[static PAM_WHY_MAX]) {
        const struct pam_entry *entry;

        if (pam_stack_read(pam_directories, service, &account->stack, why) < 0)
                account->stack.n = 0;
        else {
                entry = pam_stack_with_effects(&account->stack);
                if (!entry)
                        return NULL;
                (void)snprintf(why, PAM_WHY_MAX, "%s (%.400s line %u) %s when it is asked", entry->module, entry->file,
                               entry->line, effect_of(entry));
        }
        return examination->ask_pam ? NULL : why;
}

static void look_with_pam(struct examination *examination, struct account *account, const char *service) {
        char buffer[PAM_WHY_MAX];
        const char *why = reason_not_to_ask(examination, account, service, buffer);
        struct pam_answer answer;
        int r;

        if (!why) {
                r = pam_ask(service, examination->user, account->client, ASK_MS, &answer);
                if (r >= 0) {
                        look_at_answer(account, &answer);
                        return;
                }
                if (r == -ETIMEDOUT) /* sshd waits for it too */
                        fail(account->findings, "pam-account", NO_REMEDY,
                             "PAM does not answer within %d s whether it lets %s in: a module hangs", ASK_MS / 1000,
                             account->name);
                else
                        warn(account->findings, "pam-account", NO_REMEDY,
                             "PAM cannot be asked whether it lets %s in: %s", account->name, strerror(-r));
        } else
                warn(account->findings, "pam-account",
                     remedy_of("exc-instance-connect doctor --pam --user %s", examination->user),
                     "PAM was not asked whether it lets %.256s in: %s", account->name, why);
        examination->pam_not_asked = true;
        (void)look_at_shadow(account);
}

void doctor_pam(struct examination *examination) {
        static struct account account;
        char service[128] = SERVICE, why[SSHD_WHY_MAX];
        const struct passwd *entry = getpwnam(examination->user);
        const struct spwd *shadow;
        long today = (long)(time(NULL) / DAY_S);
        char *effective;

        /* Both are reported with the account. */
        if (!entry || examination->sshd_hangs || sshd_effective(NULL, examination->user, &effective, why) < 0)
                return;
        account.findings = &examination->findings;
        account.client = examination->from ? examination->from : SOME_CLIENT;
        account.any_client = !examination->from;
        (void)snprintf(account.name, sizeof(account.name), "%s", entry->pw_name);
        shadow = getspnam(account.name);
        if (shadow && strcmp(entry->pw_passwd, "x") == 0) { /* or pam_unix does not look there */
                account.age = password_age_of(shadow, today, true);
                account.age_before = password_age_of(shadow, today, false);
                account.locked = shadow->sp_pwdp && password_is_locked(shadow->sp_pwdp);
        }
        (void)sshd_setting(effective, "pamservicename", 0, service, sizeof(service)); /* OpenSSH since 9.8 */
        if (sshd_setting_is(effective, "usepam", "yes"))
                look_with_pam(examination, &account, service);
        else
                look_without_pam(&account, shadow, today);
        free(effective);
}
