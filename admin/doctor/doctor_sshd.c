/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each sshd of this machine: whether its configuration is in order, asks us for keys, and has been read since it was
 * written. What sshd says counts (sshd -T); its files are only searched for the line to name.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "admin/doctor/auth_methods.h"
#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_clients.h"
#include "admin/doctor/doctor_keys_command.h"
#include "admin/doctor/doctor_reload.h"
#include "admin/sshd/own_files.h"
#include "admin/sshd/sshd.h"
#include "admin/sshd/sshd_answers.h"
#include "admin/sshd/sshd_config.h"
#include "admin/sshd/sshd_reload.h"
#include "admin/sshd/systemd.h"
#include "common/ssh_key.h"

#define SSHD_INSTALL "apt-get install -y openssh-server"

enum { VERSION_LEAST = 809 };

/* "…/sshd_config: line 3: Bad …", "…/sshd_config line 5: …": where an editor is to go. */
static struct remedy edit_remedy(const char *complaint) {
        struct remedy none = {.command = ""};
        const char *line = strstr(complaint, "line "), *begin = strchr(complaint, '/'), *end;
        char path[PATH_MAX];
        unsigned long number;

        if (!line || !begin || begin > line)
                return none;
        number = strtoul(line + 5, NULL, 10);
        end = begin + strcspn(begin, ": ");
        (void)snprintf(path, sizeof(path), "%.*s", (int)(end - begin), begin);
        if (number == 0 || number > 1000000 || access(path, F_OK) < 0)
                return none;
        return remedy_of("${EDITOR:-editor} +%u %s", (unsigned)number, path);
}

static bool look_at_version(struct examination *examination) {
        int version = sshd_version();

        examination->sshd_version = version;
        if (version == -ENOENT) {
                fail(&examination->findings, "sshd-program", remedy_of(SSHD_INSTALL), "there is no %s", SSHD_PROGRAM);
                return false;
        }
        if (version == -ETIMEDOUT) {
                examination->sshd_hangs = true;
                fail(&examination->findings, "sshd-program", NO_REMEDY, "%s does not answer", SSHD_PROGRAM);
                return false;
        }
        if (version < 0)
                warn(&examination->findings, "sshd-program", NO_REMEDY, "the version of %s is not known: %s",
                     SSHD_PROGRAM, strerror(-version));
        else if (version < VERSION_LEAST)
                warn(&examination->findings, "sshd-program", NO_REMEDY,
                     "OpenSSH %d.%d is older than any that this was tried with", version / 100, version % 100);
        else
                pass(&examination->findings, "sshd-program", "OpenSSH %d.%d", version / 100, version % 100);
        return true;
}

/* Keeps those that run or will when somebody connects. Without systemd that is not known, and all are kept. */
static size_t drop_idle(struct sshd_service *services, size_t n) {
        size_t kept = 0;

        if (!systemd_runs())
                return n;
        for (size_t i = 0; i < n; i++) {
                struct sshd_service service = services[i];

                if (!service.active && !doctor_socket_listens(service.name)) {
                        sshd_services_clear(&services[i], 1);
                        continue;
                }
                services[i] = (struct sshd_service){.name = NULL};
                services[kept++] = service;
        }
        return kept;
}

static void look_at_running(struct examination *examination, const struct sshd_service *services, size_t n) {
        char names[256] = "";

        if (n == 0) {
                fail(&examination->findings, "sshd-running", remedy_of("systemctl start ssh.service"), "no sshd runs");
                return;
        }
        for (size_t i = 0; i < n; i++)
                (void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? ", " : "",
                               services[i].name);
        pass(&examination->findings, "sshd-running", "%s", names);
}

static bool is_any(const char *value) {
        (void)value;
        return true;
}

static bool is_no(const char *value) {
        return strncasecmp(value, "no", 2) == 0;
}

/* Sets a keyword in the line where it is set now. Without a remedy where that is not to be found. */
static struct remedy set_remedy(const struct sshd_service *service, const char *keyword,
                                bool (*accept)(const char *value), const char *setting) {
        struct remedy set, reload = {.command = ""};
        struct sshd_line line;
        char script[128];

        if (!sshd_config_find(service ? service->arguments : NULL, keyword, accept, &line))
                return reload;
        (void)snprintf(script, sizeof(script), "%us/.*/%s/", line.number, setting);
        set = remedy_of("sed -i %s %s", script, line.file);
        if (service && service->active)
                reload = doctor_reload(service->name);
        return remedy_both(set, reload);
}

/* It is known by its PID file when it read its configuration, and `r` says why there is none. */
static struct remedy pid_file_remedy(const struct sshd_service *service, int r) {
        struct remedy set = NO_REMEDY;

        if (r == -ENOENT)
                return doctor_edit("PidFile", service->name);
        if (r != -EROFS)
                return doctor_reload(service->name);
        /* systemd lets it write its RuntimeDirectory=, whatever else is read-only. */
        if (sshd_reads_only(service, "/run/sshd"))
                return NO_REMEDY;
        set = set_remedy(service, "PidFile", is_any, "PidFile \\/run\\/sshd\\/sshd.pid");
        if (set.command[0] || service->arguments[0])
                return set;
        return remedy_both(remedy_of("sed -i %s %s", "1iPidFile /run/sshd/sshd.pid", SSHD_CONFIG),
                           doctor_reload(service->name));
}

static void look_at_reload(struct examination *examination, const struct sshd_service *service) {
        struct remedy reload = doctor_reload(service->name);
        char path[PATH_MAX], why[SSHD_WHY_MAX];
        int r = sshd_reload_due(service, path, why);

        if (r < 0)
                warn(&examination->findings, "sshd-reloaded", pid_file_remedy(service, r),
                     "it is not known whether %s has read its configuration since the last change: %s", service->name,
                     why);
        else if (r > 0)
                found(&examination->findings, FINDING_OPEN_FAILURE, "sshd-reloaded", reload,
                      "%s was changed after %s had read its configuration", path, service->name);
        else if (path[0])
                pass(&examination->findings, "sshd-reloaded",
                     "%s has read its configuration since the last change, that of %s", service->name, path);
}

struct judging {
        const struct sshd_service *service; /* NULL: none is known */
        bool root;                          /* the user is */
};

/* Without a remedy for what sshd asks for besides: that is the administrator's choice. */
static void judge_methods(const struct judging *judging, const char *effective, struct findings *to) {
        const struct sshd_service *service = judging->service;
        char methods[256] = "a long list", more[AUTH_METHODS_TEXT_MAX];

        (void)sshd_setting(effective, "authenticationmethods", 0, methods, sizeof(methods));
        switch (auth_methods_judge(effective, judging->root, more)) {
        case AUTH_METHODS_KEY:
                pass(to, "sshd-pubkey", "sshd accepts keys");
                return;
        case AUTH_METHODS_MORE:
                found(to, FINDING_MORE_WARNING, "sshd-pubkey", NO_REMEDY, DOCTOR_MORE "%s (AuthenticationMethods)",
                      more);
                return;
        case AUTH_METHODS_NO_KEY:
                fail(to, "sshd-pubkey",
                     set_remedy(service, "AuthenticationMethods", is_any, "AuthenticationMethods any"),
                     "AuthenticationMethods is %s: no key is enough", methods);
                return;
        case AUTH_METHODS_OFF:
                fail(to, "sshd-pubkey",
                     doctor_edit("AuthenticationMethods", service && service->active ? service->name : NULL),
                     "AuthenticationMethods is %s, and %s: a key and what it lists besides are not enough", methods,
                     more);
                return;
        default:
                fail(to, "sshd-pubkey", NO_REMEDY, "out of memory");
        }
}

static void judge_pubkey(void *context, const struct sshd_client *client, struct findings *to) {
        const struct judging *judging = context;
        const char *effective = client->effective;
        char revoked[PATH_MAX] = "none";

        (void)sshd_setting(effective, "revokedkeys", 0, revoked, sizeof(revoked));
        if (sshd_setting_is(effective, "pubkeyauthentication", "no")) {
                fail(to, "sshd-pubkey",
                     set_remedy(judging->service, "PubkeyAuthentication", is_no, "PubkeyAuthentication yes"),
                     "PubkeyAuthentication is no: sshd accepts no keys");
        } else if (strcasecmp(revoked, "none") != 0 && access(revoked, R_OK) < 0) {
                fail(to, "sshd-pubkey", remedy_of("install -m 0644 /dev/null %s", revoked),
                     "RevokedKeys is %s, which cannot be read: sshd then refuses each key", revoked);
        } else
                judge_methods(judging, effective, to);
}

/* Whether `list`, with commas, has `name`. */
static bool lists(const char *list, const char *name) {
        for (size_t n; *list; list += n + (list[n] == ',')) {
                n = strcspn(list, ",");
                if (n == strlen(name) && strncmp(list, name, n) == 0)
                        return true;
        }
        return false;
}

/* --generate, exc and doctor itself make Ed25519 keys. Before 8.5 sshd has the older name. */
static void judge_key_types(void *context, const struct sshd_client *client, struct findings *to) {
        const struct sshd_service *service = ((const struct judging *)context)->service;
        char algorithms[4096], bits[16] = "1024"; /* before 9.1 */

        if (!sshd_setting(client->effective, "pubkeyacceptedalgorithms", 0, algorithms, sizeof(algorithms)) &&
            !sshd_setting(client->effective, "pubkeyacceptedkeytypes", 0, algorithms, sizeof(algorithms)))
                return;
        (void)sshd_setting(client->effective, "requiredrsasize", 0, bits, sizeof(bits));
        if (!lists(algorithms, "ssh-ed25519"))
                warn(to, "sshd-key-types",
                     doctor_edit("PubkeyAcceptedAlgorithms", service && service->active ? service->name : NULL),
                     "PubkeyAcceptedAlgorithms does not have ssh-ed25519: sshd refuses the keys that exc, and exc-push "
                     "--generate, make; only pushed keys of other types can log in");
        else if (strtoul(bits, NULL, 10) > SSH_KEY_RSA_BITS_MIN)
                pass(to, "sshd-key-types", "sshd takes Ed25519 keys, and RSA keys of at least %s bits", bits);
        else
                pass(to, "sshd-key-types", "sshd takes Ed25519 keys");
}

/* What enable keeps as it is may have changed since: an AuthorizedPrincipalsCommand that came, say. */
static void look_at_other_settings(struct examination *examination, const struct sshd_service *service,
                                   const struct own_files *own) {
        char *const *arguments = service ? service->arguments : NULL;
        struct sshd_answers without = {.text = {NULL}}, with = {.text = {NULL}};
        const char *name = service ? service->name : "sshd";
        struct sshd_change change = {.name = NULL};
        struct sshd_specs specs = {.text = {.n = 0}};
        char why[SSHD_WHY_MAX] = "out of memory";
        int r;

        r = sshd_specs_find(arguments, own, examination->user, &specs, why);
        if (r >= 0)
                r = sshd_answers_ask_without(arguments, own, &specs, &without, why);
        if (r >= 0)
                r = sshd_answers_ask(arguments, &specs, &without, &with, why);
        if (r >= 0)
                r = sshd_answers_compare(&without, &with, &specs, &change);
        if (r > 0) {
                sshd_change_say(name, &change, why);
                found(&examination->findings, FINDING_LAX_FAILURE, "sshd-settings",
                      remedy_of("exc-instance-connect enable"), "%s", why);
        } else if (r < 0 || !without.text[0])
                warn(&examination->findings, "sshd-settings", NO_REMEDY,
                     "%s does not say what it would be without exc-instance-connect: %s", name,
                     r < 0 ? why : "its configuration would be broken");
        else
                pass(&examination->findings, "sshd-settings", "exc-instance-connect changes no other setting of %s",
                     name);
        sshd_change_clear(&change);
        sshd_answers_clear(&without);
        sshd_answers_clear(&with);
        sshd_specs_clear(&specs);
}

static void look_at_all_other_settings(struct examination *examination, const struct sshd_service *services, size_t n) {
        struct own_files own = {.text = {NULL}}, disabled = {.text = {NULL}};
        char why[SSHD_WHY_MAX];

        if (own_files_load(&own, &disabled, why) < 0) {
                warn(&examination->findings, "sshd-settings", NO_REMEDY, "%s", why);
                return;
        }
        for (size_t i = 0; i < n || (n == 0 && i == 0); i++)
                look_at_other_settings(examination, n > 0 ? &services[i] : NULL, &own);
        own_files_clear(&own);
        own_files_clear(&disabled);
}

static bool look_at_configuration(struct examination *examination, const struct sshd_service *service) {
        char *const none[] = {NULL};
        char why[SSHD_WHY_MAX];

        if (sshd_test(service ? service->arguments : none, why) >= 0)
                return true;
        fail(&examination->findings, "sshd-config", edit_remedy(why), "%s cannot use its configuration: %s",
             service ? service->name : "sshd", why);
        return false;
}

/* What each says to its clients; NULL where it says nothing. */
static void ask_services(struct examination *examination, const struct sshd_service *services, size_t n,
                         struct sshd_clients *ret[static SSHD_SERVICES_MAX]) {
        for (size_t i = 0; i < n || (n == 0 && i == 0); i++) {
                char why[SSHD_WHY_MAX];

                ret[i] = NULL;
                if (sshd_clients_ask(n > 0 ? services[i].arguments : NULL, examination->user, examination->from,
                                     examination->sshd_version, &ret[i], why) < 0)
                        fail(&examination->findings, "sshd-keys-command", NO_REMEDY,
                             "sshd -T fails, so it is not known which command %s runs, and whether it accepts keys: %s",
                             n > 0 ? services[i].name : "sshd", why);
                else
                        doctor_clients_not_asked(examination, ret[i]);
        }
}

static bool is_root(const char *user) {
        const struct passwd *entry = user ? getpwnam(user) : NULL;

        return entry && entry->pw_uid == 0;
}

void doctor_sshd(struct examination *examination) {
        struct sshd_service services[SSHD_SERVICES_MAX] = {{.name = NULL}};
        struct sshd_clients *clients[SSHD_SERVICES_MAX] = {NULL};
        size_t n = 0, passed = 0;
        int count;

        if (!look_at_version(examination))
                return;
        count = sshd_services(services);
        if (count < 0)
                warn(&examination->findings, "sshd-running", NO_REMEDY,
                     "the services that run an sshd cannot be listed: %s", strerror(-count));
        else {
                n = drop_idle(services, (size_t)count);
                look_at_running(examination, services, n);
        }
        for (size_t i = 0; i < n || (n == 0 && i == 0); i++)
                passed += look_at_configuration(examination, n > 0 ? &services[i] : NULL);
        if (passed < (n > 0 ? n : 1))
                return;
        pass(&examination->findings, "sshd-config", "sshd -t finds no fault");
        ask_services(examination, services, n, clients);
        doctor_keys_command(examination, services, clients, n);
        look_at_all_other_settings(examination, services, n);
        for (size_t i = 0; i < n; i++)
                look_at_reload(examination, &services[i]);
        if (clients[0]) {
                struct judging judging = {.service = n > 0 ? &services[0] : NULL, .root = is_root(examination->user)};

                doctor_clients_judge(examination, clients[0], judge_pubkey, &judging);
                doctor_clients_judge(examination, clients[0], judge_key_types, &judging);
        }
        for (size_t i = 0; i < SSHD_SERVICES_MAX; i++)
                sshd_clients_free(clients[i]);
        sshd_services_clear(services, n);
}
