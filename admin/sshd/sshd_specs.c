/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_specs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/match_line.h"
#include "admin/sshd/pattern.h"

enum {
        UID_FIRST = 1000,
        UID_NOBODY = 65534,
};

static int add(struct sshd_specs *specs, const char *about, const char *const values[static MATCH_ATTRIBUTES]) {
        char *text = match_specification(values);
        int r;

        if (!text)
                return -ENOMEM;
        r = strv_add(&specs->text, text);
        if (r >= 0)
                r = strv_add(&specs->about, about);
        free(text);
        return r;
}

static int add_user(struct sshd_specs *specs, const char *name) {
        const char *const values[MATCH_ATTRIBUTES] = {[MATCH_USER] = name};
        char *about;
        int r = 0;

        /* A comma ends a value of -C. */
        if (specs->n_users >= SPECS_USERS_MAX || specs->text.n >= SPECS_MAX || strchr(name, ',') ||
            asprintf(&about, "user %s", name) < 0)
                return 0;
        for (size_t i = 0; i < specs->about.n; i++)
                if (strcmp(specs->about.item[i], about) == 0) {
                        free(about);
                        return 0;
                }
        r = add(specs, about, values);
        specs->n_users++;
        free(about);
        return r;
}

/* The first of a list without "!", "*" standing for nothing and "?" for "x". False where there is none. */
static bool list_first(const char *list, char ret[static PATTERN_MAX]) {
        char pattern[PATTERN_MAX];
        bool negated;

        while (pattern_next(&list, pattern, &negated)) {
                if (negated || pattern[0] == '\0')
                        continue;
                match_instance(pattern, ret);
                return true;
        }
        return false;
}

/* --- users --- */

/* Whether a user is in the groups of a list, by /etc/group. */
static bool is_member(const char *user, gid_t gid, const char *groups) {
        FILE *file = fopen("/etc/group", "re");
        struct group *entry;
        int matches = 0;

        while (file && matches >= 0 && (entry = fgetgrent(file))) {
                bool member = entry->gr_gid == gid;
                int one;

                for (char **name = entry->gr_mem; *name && !member; name++)
                        member = strcmp(*name, user) == 0;
                one = member ? pattern_list(groups, entry->gr_name) : 0;
                matches = one != 0 ? one : matches;
        }
        if (file)
                (void)fclose(file);
        return matches > 0;
}

/* One in /etc/passwd whom a list of users (NULL: all) and one of groups takes. */
static bool find_user(const char *users, const char *groups, char ret[static PATTERN_MAX]) {
        FILE *file = fopen("/etc/passwd", "re");
        struct passwd *entry;
        bool found = false;

        while (file && !found && (entry = fgetpwent(file)))
                if (strlen(entry->pw_name) < PATTERN_MAX && (!users || pattern_list(users, entry->pw_name) > 0) &&
                    (!groups || is_member(entry->pw_name, entry->pw_gid, groups))) {
                        found = true;
                        (void)snprintf(ret, PATTERN_MAX, "%s", entry->pw_name);
                }
        if (file)
                (void)fclose(file);
        /* sshd does not ask whether there is such a user. */
        if (!found && users && !groups)
                found = list_first(users, ret) && pattern_list(users, ret) > 0;
        return found;
}

/* One that a pattern of an Allow or Deny line is about; of a group, one that is in it. */
static int add_match(struct sshd_specs *specs, const char *pattern, bool group) {
        char user[PATTERN_MAX];

        if (*pattern == '\0' || !find_user(group ? NULL : pattern, group ? pattern : NULL, user))
                return 0;
        return add_user(specs, user);
}

/* Of USER@HOST, the user as each version of sshd reads it. */
static int add_entry(struct sshd_specs *specs, const char *entry) {
        char first[PATTERN_MAX], last[PATTERN_MAX];
        const char *host = pattern_user_host(entry, -1);
        int r;

        if (!host)
                return add_match(specs, entry, false);
        (void)snprintf(first, sizeof(first), "%.*s", (int)(host - 1 - entry), entry);
        host = pattern_user_host(entry, PATTERN_LAST_AT_VERSION);
        (void)snprintf(last, sizeof(last), "%.*s", (int)(host - 1 - entry), entry);
        r = add_match(specs, first, false);
        return r >= 0 && strcmp(first, last) != 0 ? add_match(specs, last, false) : r;
}

/* Those that one of sshd's lines names. */
static int add_listed(struct sshd_specs *specs, const char *effective, const char *setting, bool groups) {
        char name[1024];
        int r = 0;

        for (size_t i = 0; r >= 0 && sshd_setting(effective, setting, i, name, sizeof(name)); i++)
                r = groups ? add_match(specs, name, true) : add_entry(specs, name);
        return r;
}

static int add_users(struct sshd_specs *specs, const char *effective) {
        struct passwd *entry;
        FILE *file;
        int r = 0;

        for (int i = 0; i < 4 && r >= 0; i++)
                r = add_listed(specs, effective,
                               (const char *const[]){"AllowUsers", "DenyUsers", "AllowGroups", "DenyGroups"}[i],
                               i >= 2);
        file = fopen("/etc/passwd", "re");
        while (r >= 0 && file && (entry = fgetpwent(file)))
                if (entry->pw_uid >= UID_FIRST && entry->pw_uid < UID_NOBODY)
                        r = add_user(specs, entry->pw_name);
        if (file)
                (void)fclose(file);
        return r;
}

/* --- Match lines --- */

/* A value that a list of other things than users takes. Addresses with "!" or a wildcard would need more than that. */
static bool choose(enum match_attribute attribute, const char *list, char ret[static PATTERN_MAX]) {
        if (!list_first(list, ret))
                return false;
        if (attribute != MATCH_ADDRESS && attribute != MATCH_LOCAL_ADDRESS)
                return pattern_list(list, ret) > 0;
        if (strcmp(list, "*") == 0)
                (void)snprintf(ret, PATTERN_MAX, "127.0.0.1");
        else if (strpbrk(list, "!*?"))
                return false;
        /* The first address of a network is in it. */
        ret[strcspn(ret, "/")] = '\0';
        return true;
}

/* NULL, or why there is none; -ENOMEM in `ret`. */
static const char *add_block(struct sshd_specs *specs, const struct config_block *block, int *ret) {
        char *lists[MATCH_ATTRIBUTES] = {NULL}, chosen[MATCH_ATTRIBUTES][PATTERN_MAX], about[512];
        const char *values[MATCH_ATTRIBUTES] = {NULL}, *why;

        *ret = 0;
        why = block->conditional ? "it is in a file that another Match line includes"
                                 : match_condition(block->condition, lists);
        if (!why && !find_user(lists[MATCH_USER], lists[MATCH_GROUP], chosen[MATCH_USER]))
                why = lists[MATCH_GROUP] ? "no user in /etc/passwd is in such a group" : "it has no name to try";
        values[MATCH_USER] = chosen[MATCH_USER];
        for (enum match_attribute i = MATCH_HOST; i < MATCH_ATTRIBUTES && !why; i++) {
                if (!lists[i])
                        continue;
                if (!choose(i, lists[i], chosen[i]))
                        why = "it has no plain value to try";
                values[i] = chosen[i];
        }
        for (size_t i = 0; i < MATCH_ATTRIBUTES; i++)
                free(lists[i]);
        if (!why && specs->text.n >= SPECS_MAX - SPECS_USERS_MAX + 2)
                why = "there are too many";
        if (why)
                return why;
        (void)snprintf(about, sizeof(about), "Match %s", block->condition);
        *ret = add(specs, about, values);
        return NULL;
}

static int add_blocks(struct sshd_specs *specs, const struct sshd_config *config) {
        int r = 0;

        for (size_t i = 0; i < config->n_blocks && r >= 0; i++) {
                const struct config_block *block = config->block + i;
                const char *why;
                char *text;

                if (strcasecmp(block->condition, "all") == 0)
                        continue;
                why = add_block(specs, block, &r);
                if (!why)
                        continue;
                if (asprintf(&text, "%s line %u: \"Match %s\": %s", block->file ? block->file : "the command line",
                             block->line, block->condition, why) < 0)
                        return -ENOMEM;
                r = strv_add(&specs->not_compared, text);
                free(text);
        }
        return r;
}

int sshd_specs_find(char *const arguments[], const struct own_files *own, const char *user, struct sshd_specs *ret,
                    char ret_why[static SSHD_WHY_MAX]) {
        struct sshd_specs specs = {.text = {.n = 0}};
        struct sshd_config *config;
        char *effective = NULL;
        int r;

        r = sshd_config_read(arguments, own, &config, ret_why);
        if (r < 0)
                return r;
        if (config->n_blocks > 0) {
                r = sshd_effective(arguments, NULL, &effective, ret_why);
                if (r >= 0) {
                        ret_why[0] = '\0';
                        r = user ? add_user(&specs, user) : 0;
                }
                if (r >= 0)
                        r = add_user(&specs, "root");
                /* Before other users: what takes too long at the end is left out. */
                if (r >= 0)
                        r = add_blocks(&specs, config);
                if (r >= 0)
                        r = add_users(&specs, effective);
                if (r == -ENOMEM)
                        (void)snprintf(ret_why, SSHD_WHY_MAX, "out of memory");
        }
        free(effective);
        sshd_config_free(config);
        if (r < 0) {
                sshd_specs_clear(&specs);
                return r;
        }
        *ret = specs; /* transferred */
        return 0;
}

void sshd_specs_clear(struct sshd_specs *specs) {
        strv_clear(&specs->about);
        strv_clear(&specs->text);
        strv_clear(&specs->not_compared);
}
