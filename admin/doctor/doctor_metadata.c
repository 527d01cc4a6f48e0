/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launch keys, where they are configured: whether they are fetched, and whether somebody else writes the same keys to
 * authorized_keys, where they stay.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/probe.h"
#include "admin/sshd/systemd.h"
#include "admin/sshd/text_file.h"
#include "agent/config.h"
#include "agent/listener.h"
#include "conf/conf_files.h"
#include "conf/metadata_conf.h"
#include "wire/client.h"
#include "wire/refusal.h"

#define PROGRAM PKGLIBEXECDIR "/exc-instance-connect-metadata"
#define TIMER "exc-instance-connect-metadata.timer"
#define SERVICE "exc-instance-connect-metadata.service"
#define CLOUD_DIR "/etc/cloud"
#define CLOUD_OPTION "allow_public_ssh_keys:"
#define DROP_IN CLOUD_DIR "/cloud.cfg.d/90_exc-instance-connect.cfg"

enum { ASK_MS = 5000, SEARCH_MS = 8000, COPIES_SAID_MAX = 8 };

/* --- whether they are fetched ------------------------------------------------------------------------------------- */

/* As a shell with a strict umask leaves it. */
static void look_at_mode(struct examination *examination) {
        static const char path[] = CONFIG_DIR "/" METADATA_CONF_FILE;
        struct stat st;

        if (stat(path, &st) == 0 && (st.st_mode & S_IROTH) == 0)
                warn(&examination->findings, "metadata-config", remedy_of("chmod 0644 %s", path),
                     "%s has the mode %04o, and the agent and the metadata program, which are not root, read it", path,
                     (unsigned)(st.st_mode & 07777));
}

static void look_at_units(struct examination *examination) {
        struct unit_state timer, service;

        if (!systemd_runs() || systemd_unit_state(TIMER, &timer) < 0 || systemd_unit_state(SERVICE, &service) < 0)
                return;
        if (strcmp(timer.active, "active") != 0)
                warn(&examination->findings, "metadata-timer", remedy_of("systemctl enable --now " TIMER),
                     "%s is %s, so no launch keys are fetched", TIMER, timer.active);
        else if (strcmp(timer.file, "disabled") == 0)
                warn(&examination->findings, "metadata-timer", remedy_of("systemctl enable " TIMER),
                     "%s runs now, and will not after the next boot", TIMER);
        else
                pass(&examination->findings, "metadata-timer", "%s is active", TIMER);
        if (strcmp(service.active, "failed") == 0)
                warn(&examination->findings, "metadata-service", remedy_of("systemctl restart " SERVICE),
                     "%s failed; to see why, run: journalctl -u %s", SERVICE, SERVICE);
        else
                pass(&examination->findings, "metadata-service", "%s is %s", SERVICE, service.active);
}

/* --- launch keys that are elsewhere too --------------------------------------------------------------------------- */

/* The fingerprints of `user`'s launch keys, as the agent lists them. */
static json_t *launch_keys_of(const struct examination *examination, const char *user) {
        struct client_reply reply;
        struct client client;
        json_t *found = json_array(), *row;
        bool more = true;
        size_t i;

        if (client_connect(&client, examination->socket, ASK_MS) == CLIENT_DONE &&
            client_send(&client, VARLINK_INTERFACE ".List", json_pack("{ss}", "user", user), true) == CLIENT_DONE)
                while (more) {
                        enum client_result result = client_receive(&client, &reply);

                        more = result == CLIENT_DONE && reply.continues;
                        if (result != CLIENT_DONE && result != CLIENT_REFUSED)
                                break;
                        json_array_foreach(json_object_get(reply.parameters, "keys"), i, row) {
                                const char *origin = json_string_value(json_object_get(row, "origin"));

                                if (origin && strcmp(origin, "metadata") == 0)
                                        (void)json_array_append(found, json_object_get(row, "fingerprint"));
                        }
                        json_decref(reply.parameters);
                }
        client_close(&client);
        return found;
}

/* The key in a line of authorized_keys, which may have options before it: two words, one a type, the other its base64. */
static bool key_of_line(const char *line, char ret[static FINGERPRINT_MAX]) {
        const char *word = line + strspn(line, " \t");

        while (*word != '\0' && *word != '#') {
                size_t n = strcspn(word, " \t"), blanks = strspn(word + n, " \t"), m;
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key;

                m = strcspn(word + n + blanks, " \t\r");
                if (m > 0 && n + 1 + m < sizeof(text)) {
                        (void)snprintf(text, sizeof(text), "%.*s %.*s", (int)n, word, (int)m, word + n + blanks);
                        if (ssh_key_from_text(text, strlen(text), &key) == SSH_KEY_OK)
                                return fingerprint_of(&key, ret) == 0;
                }
                word += n + blanks;
        }
        return false;
}

/* What is found in a user's files, by a child that a line of them may have compromised: any of the numbers may be wrong. */
struct copies {
        struct {
                size_t file, key; /* of `key_files`, of the fingerprints */
                unsigned line;
        } at[COPIES_SAID_MAX];
        size_t n;
};

struct search {
        struct examination *examination;
        const char *user, *home;
        const json_t *fingerprints;
        struct copies *copies;
};

static const char *const key_files[] = {".ssh/authorized_keys", ".ssh/authorized_keys2"};

enum { KEY_FILES = sizeof(key_files) / sizeof(key_files[0]) };

static void search_line(const struct search *search, const char *text, size_t file, unsigned number) {
        struct copies *copies = search->copies;
        char fingerprint[FINGERPRINT_MAX];
        const json_t *one;
        size_t i;

        if (!key_of_line(text, fingerprint))
                return;
        json_array_foreach(search->fingerprints, i, one)
                if (strcmp(json_string_value(one), fingerprint) == 0 && copies->n < COPIES_SAID_MAX) {
                        copies->at[copies->n].file = file;
                        copies->at[copies->n].key = i;
                        copies->at[copies->n++].line = number;
                }
}

static void search_file(const struct search *search, size_t file) {
        char path[PATH_MAX], *text, *line;
        unsigned number = 0;
        const char *at;

        (void)snprintf(path, sizeof(path), "%s/%s", search->home, key_files[file]);
        if (text_file_read(path, &text, NULL) < 0)
                return;
        at = text;
        while (*at && (line = text_line(&at))) {
                search_line(search, line, file, ++number);
                free(line);
        }
        free(text);
}

/* As the user, whose files these are, and without the findings, which have commands for root's shell. */
static void search_in_child(void *context) {
        const struct search *search = context;

        if (munmap(search->examination, sizeof(*search->examination)) < 0 || probe_become(search->user) < 0)
                return;
        for (size_t i = 0; i < KEY_FILES; i++)
                search_file(search, i);
}

static void say_copies(struct examination *examination, const struct search *search, const struct copies *copies) {
        for (size_t i = 0; i < copies->n && i < COPIES_SAID_MAX; i++) {
                const char *fingerprint = json_string_value(json_array_get(search->fingerprints, copies->at[i].key));
                char path[PATH_MAX];

                if (copies->at[i].file >= KEY_FILES || !fingerprint)
                        continue;
                (void)snprintf(path, sizeof(path), "%s/%s", search->home, key_files[copies->at[i].file]);
                warn(&examination->findings, "launch-key-copied",
                     remedy_of("${EDITOR:-editor} +%u %s", copies->at[i].line, path),
                     "%s, line %u, is the launch key %s, and stays there when that is deleted at the cloud; remove "
                     "the line once you have logged in without it",
                     path, copies->at[i].line, fingerprint);
        }
}

static void search_home(struct examination *examination, struct search *search) {
        struct copies copies;
        int r = -ENOMEM;

        search->copies = mmap(NULL, sizeof(copies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (search->copies != MAP_FAILED) {
                r = probe_run(search_in_child, search, SEARCH_MS);
                /* Once: a child that hangs may still write. */
                copies = *search->copies;
                (void)munmap(search->copies, sizeof(copies));
        }
        if (r >= 0)
                say_copies(examination, search, &copies);
        else
                warn(&examination->findings, "launch-key-copied", NO_REMEDY,
                     "%s: it is not known whether launch keys are in its authorized_keys: %s", search->home,
                     strerror(-r));
}

static void look_at_copies(struct examination *examination, const char *user) {
        json_t *fingerprints = launch_keys_of(examination, user);
        const struct passwd *entry = getpwnam(user);
        char home[512]; /* what getpwnam(3) gives lasts until it is asked again */

        if (!entry || json_array_size(fingerprints) == 0) {
                if (examination->agent_answered)
                        warn(&examination->findings, "launch-keys", NO_REMEDY,
                             "there is no launch key of %s; if the cloud has one, run: journalctl -u %s", user,
                             SERVICE);
        } else {
                struct search search = {
                        .examination = examination,
                        .user = user,
                        .home = home,
                        .fingerprints = fingerprints,
                };

                (void)snprintf(home, sizeof(home), "%s", entry->pw_dir);
                pass(&examination->findings, "launch-keys", "%zu of %s", json_array_size(fingerprints), user);
                search_home(examination, &search);
        }
        json_decref(fingerprints);
}

/* --- cloud-init --------------------------------------------------------------------------------------------------- */

/* The value in a file of its configuration, which is YAML; the option stands at the start of a line there. */
static void read_option(const char *path, bool *allowed) {
        static const char *const no[] = {"false", "no", "off", "0"};
        char *text, *line;
        const char *at;

        if (text_file_read(path, &text, NULL) < 0)
                return;
        at = text;
        while (*at && (line = text_line(&at))) {
                if (strncmp(line, CLOUD_OPTION, strlen(CLOUD_OPTION)) == 0) {
                        char *value = line + strlen(CLOUD_OPTION);

                        value += strspn(value, " \t\"'");
                        value[strcspn(value, " \t\r\"'#")] = '\0';
                        *allowed = true;
                        for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
                                if (strcasecmp(value, no[i]) == 0)
                                        *allowed = false;
                }
                free(line);
        }
        free(text);
}

static void look_at_cloud_init(struct examination *examination) {
        struct strv names = {.n = 0};
        bool allowed = true;
        DIR *dir;

        if (access(CLOUD_DIR "/cloud.cfg", F_OK) < 0 || access(CLOUD_DIR "/cloud-init.disabled", F_OK) == 0)
                return;
        read_option(CLOUD_DIR "/cloud.cfg", &allowed);
        dir = opendir(CLOUD_DIR "/cloud.cfg.d");
        if (dir && conf_files_list(dirfd(dir), ".cfg", &names) >= 0)
                for (size_t i = 0; i < names.n; i++) {
                        char path[512];

                        (void)snprintf(path, sizeof(path), CLOUD_DIR "/cloud.cfg.d/%.255s", names.item[i]);
                        read_option(path, &allowed);
                }
        strv_clear(&names);
        if (dir)
                (void)closedir(dir);
        if (allowed)
                warn(&examination->findings, "cloud-init-keys",
                     remedy_of("echo 'allow_public_ssh_keys: false' >" DROP_IN),
                     "cloud-init writes the cloud's keys to authorized_keys at the first boot, and what is deleted at "
                     "the cloud stays there");
        else
                pass(&examination->findings, "cloud-init-keys", "cloud-init writes no keys of the cloud's");
}

void doctor_metadata(struct examination *examination) {
        struct metadata_conf conf;
        int r = metadata_conf_load(CONFIG_DIR, NULL, NULL, NULL, &conf);

        if (r == -ENOENT)
                return;
        if (r < 0) {
                warn(&examination->findings, "metadata-config", NO_REMEDY, "no launch keys are fetched: %s",
                     conf.error);
                return;
        }
        look_at_mode(examination);
        if (access(PROGRAM, F_OK) < 0) {
                warn(&examination->findings, "metadata-package",
                     remedy_of("apt-get install -y exc-instance-connect-metadata"),
                     "there is no %s, so no launch keys are fetched", PROGRAM);
                return;
        }
        if (!getpwnam(LISTENER_METADATA_USER))
                warn(&examination->findings, "user-metadata",
                     remedy_of("systemd-sysusers exc-instance-connect-metadata.conf"), "there is no user %s",
                     LISTENER_METADATA_USER);
        look_at_units(examination);
        if (conf.user[0] == '\0')
                return;
        look_at_cloud_init(examination);
        look_at_copies(examination, conf.user);
}
