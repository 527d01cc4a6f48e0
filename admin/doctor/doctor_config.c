/* SPDX-License-Identifier: Apache-2.0 */
/* agent.conf as the agent reads it, with the agent's rights, and whether it allows the user. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/probe.h"
#include "agent/config.h"
#include "agent/name_check.h"
#include "agent/nss_query.h"
#include "agent/policy.h"
#include "conf/conf_files.h"

#define MAIN_FILE CONFIG_DIR "/agent.conf"
#define DROP_INS CONFIG_DIR "/agent.conf.d"

enum {
        UNKNOWN_MAX = 8,
        NAMES_MAX = 8,
        NAMES_MS = 8 * 1000,
};

/* Only a person knows what to write there: an editor at the line. */
static struct remedy edit(const char *path, unsigned line) {
        return remedy_of("${EDITOR:-editor} +%u %s", line, path);
}

/* The path at the beginning of "PATH:LINE: why" or "PATH: why". */
static void take_place(const char *error, char ret_path[static PATH_MAX], unsigned *ret_line) {
        const char *end = strstr(error, ": ");
        const char *colon = end ? memrchr(error, ':', (size_t)(end - error)) : NULL;

        *ret_line = 1;
        if (colon && colon[1] >= '0' && colon[1] <= '9') {
                *ret_line = (unsigned)strtoul(colon + 1, NULL, 10);
                end = colon;
        }
        (void)snprintf(ret_path, PATH_MAX, "%.*s", end ? (int)(end - error) : 0, error);
}

/* Modes can be set without knowing what is meant; a text cannot. */
static struct remedy config_remedy(const char *error) {
        char path[PATH_MAX];
        struct stat st;
        unsigned line;
        int mode;

        take_place(error, path, &line);
        if (stat(path, &st) < 0)
                return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? remedy_of("rm %s", path)
                                                                    : remedy_of("chmod go+rx " CONFIG_DIR);
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
                return remedy_of("mv %s %s.refused", path, path);
        mode = S_ISDIR(st.st_mode) ? 0755 : 0644;
        if ((st.st_mode & 05) != (mode_t)(mode & 05) && st.st_uid == 0 && (st.st_mode & 022) == 0)
                return remedy_of("chmod %o %s", (unsigned)mode, path);
        if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
                struct remedy own = remedy_of("chown root:root %s && chmod %o %s", path, (unsigned)mode, path);

                /* Others may have written it: a person reads it before it counts. */
                return S_ISDIR(st.st_mode) ? own : remedy_both(edit(path, 1), own);
        }
        return edit(path, line);
}

static void note_unknown(void *context, const char *file, unsigned line, const char *text) {
        struct examination *examination = context;

        if (findings_count(&examination->findings, "config-unknown") < UNKNOWN_MAX)
                warn(&examination->findings, "config-unknown", edit(file, line), "%s:%u: %s", file, line, text);
}

static bool find_key(const char *path, const char *key, unsigned *ret_line) {
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
        size_t size = 0, n = strlen(key);
        unsigned number = 0, last = 0;
        char *line = NULL;

        while (file && number < CONFIG_FILE_MAX && getline(&line, &size, file) >= 0) {
                number++;
                if (strncmp(line, key, n) == 0 && strchr(" \t=", line[n]))
                        last = number;
        }
        free(line);
        if (file)
                (void)fclose(file);
        *ret_line = last;
        return last > 0;
}

/* Where a key was set last. */
static struct remedy edit_key(const char *key) {
        struct strv names = {.n = 0};
        char path[PATH_MAX] = MAIN_FILE, at[PATH_MAX] = MAIN_FILE;
        unsigned line = 1, number;
        int fd;

        if (find_key(MAIN_FILE, key, &number))
                line = number;
        fd = open(DROP_INS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
                (void)conf_files_list(fd, ".conf", &names);
                (void)close(fd);
        }
        for (size_t i = 0; i < names.n; i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", DROP_INS, names.item[i]);
                if (find_key(path, key, &number)) {
                        memcpy(at, path, sizeof(at));
                        line = number;
                }
        }
        strv_clear(&names);
        return edit(at, line);
}

struct asking {
        struct examination *examination;
        const struct config *config;
        sd_event *event;
};

static void on_answer(void *context, const struct nss_answer *answer) {
        static const char *const keys[] = {"MinUid", "DenyUsers", "AllowUsers", "DenyGroups", "AllowGroups"};
        struct remedy remedy = {.command = ""};
        struct asking *asking = context;
        struct refused why;
        size_t length;

        if (policy_decide(asking->config, answer, &why) == REFUSAL_NONE)
                pass(&asking->examination->findings, "policy", "agent.conf lets %s be given a key", answer->user);
        else {
                for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                        if (strncmp(why.message, keys[i], strlen(keys[i])) == 0)
                                remedy = edit_key(keys[i]);
                length = strlen(why.message);
                if (length > 0 && why.message[length - 1] == '.')
                        why.message[length - 1] = '\0';
                fail(&asking->examination->findings, "policy", remedy, "%s", why.message);
        }
        (void)sd_event_exit(asking->event, 0);
}

/* As the agent itself decides it. */
static void look_at_policy(struct examination *examination, const struct config *config) {
        struct asking asking = {.examination = examination, .config = config};
        struct nss_lookup *lookup;
        struct nss *nss = NULL;
        char **groups = NULL;
        size_t n = 0;
        int r;

        r = policy_groups(config, &groups, &n);
        if (r >= 0)
                r = sd_event_new(&asking.event);
        if (r >= 0)
                r = nss_new(asking.event, SD_EVENT_PRIORITY_NORMAL, NSS_LIMIT_US, &nss);
        if (r >= 0)
                r = nss_lookup(nss, examination->user, groups, n, on_answer, &asking, &lookup);
        if (r >= 0)
                r = sd_event_loop(asking.event);
        if (r < 0)
                fail(&examination->findings, "policy", NO_REMEDY, "%s cannot be looked up: %s", examination->user,
                     strerror(-r));
}

/* --- names in the lists ------------------------------------------------------------------------------------------- */

struct naming {
        struct examination *examination;
        const struct config *config;
};

static void report_name(const struct naming *naming, const char *key, const char *why) {
        struct findings *findings = &naming->examination->findings;

        if (findings_count(findings, "config-names") < NAMES_MAX)
                warn(findings, "config-names", edit_key(key), "agent.conf: %s", why);
}

static void look_at_users(const struct naming *naming, const char *key, const struct strv *users) {
        for (size_t i = 0; i < users->n && i < NAME_CHECK_USERS_MAX; i++) {
                struct nss_answer answer = {.outcome = NSS_FAILURE};
                char why[NAME_CHECK_WHY_MAX];

                (void)snprintf(answer.user, sizeof(answer.user), "%s", users->item[i]);
                nss_query(users->item[i], NULL, 0, &answer);
                if (name_check_user(key, users->item[i], &answer, why))
                        report_name(naming, key, why);
        }
}

/* Groups are looked up with a user: with one that each system has. */
static void look_at_groups(const struct naming *naming, const char *key, const struct strv *groups) {
        for (size_t i = 0; i < groups->n; i++) {
                struct nss_group group = {.name = groups->item[i]};
                struct nss_answer answer = {.outcome = NSS_FAILURE, .user = "root"};
                char why[NAME_CHECK_WHY_MAX];

                nss_query("root", &group, 1, &answer);
                if (answer.outcome == NSS_FOUND && name_check_group(key, &group, why))
                        report_name(naming, key, why);
        }
}

static void look_at_names(void *context) {
        const struct naming *naming = context;
        const struct config *config = naming->config;

        look_at_users(naming, "AllowUsers", &config->allow_users);
        look_at_users(naming, "DenyUsers", &config->deny_users);
        look_at_groups(naming, "AllowGroups", &config->allow_groups);
        look_at_groups(naming, "DenyGroups", &config->deny_groups);
        if (findings_count(&naming->examination->findings, "config-names") == 0)
                pass(&naming->examination->findings, "config-names",
                     "each name in the lists of agent.conf is that of a user or group");
}

void doctor_config(struct examination *examination) {
        struct naming naming = {.examination = examination};
        struct config *config;
        int r;

        if (probe_become(AGENT_USER) < 0)
                return; /* doctor_users() reports it */
        r = config_load(CONFIG_DIR, note_unknown, examination, &config);
        if (r < 0) {
                fail(&examination->findings, "config", NO_REMEDY, "%s: %s", CONFIG_DIR, strerror(-r));
                return;
        }
        if (config->error) {
                fail(&examination->findings, "config", config_remedy(config->error), "no push is accepted: %s",
                     config->error);
                return;
        }
        if (config->trust == CONFIG_TRUST_CHANNEL)
                warn(&examination->findings, "config", edit_key("Trust"),
                     "Trust=channel: pushes from the host need no signature");
        else
                pass(&examination->findings, "config", "%s is in order", CONFIG_DIR);
        if (examination->user)
                look_at_policy(examination, config);
        naming.config = config;
        r = probe_run(look_at_names, &naming, NAMES_MS);
        if (r < 0)
                warn(&examination->findings, "config-names", NO_REMEDY,
                     "it is not known whether each name in the lists of agent.conf is that of a user or group: %s",
                     strerror(-r));
}
