/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/program.h"
#include "admin/sshd/sshd.h"
#include "admin/sshd/unit.h"
#include "admin/sshd/unit_files.h"

enum { SYSTEMCTL_TIMEOUT_MS = 10 * 1000 };

/* Options of sshd's that have a value, of all versions (getopt() in sshd.c's main()). */
#define WITH_VALUE "CEbcfghkopu"

static bool runs_systemd(void) {
        return access("/run/systemd/system", F_OK) == 0;
}

static int add_argument(struct sshd_service *to, size_t *n, const char option, const char *value) {
        char flag[] = {'-', option, '\0'};

        /* Less than fit: sshd may be asked about a copy, with another -f (admin/sshd/sshd_answers.h). */
        if (*n + 4 > SSHD_ARGUMENTS_MAX)
                return -E2BIG;
        to->arguments[*n] = strdup(flag);
        to->arguments[*n + 1] = strdup(value);
        if (!to->arguments[*n] || !to->arguments[*n + 1])
                return -ENOMEM;
        *n += 2;
        return 0;
}

/* As getopt(3) goes through sshd's arguments. */
static int take_arguments(const struct unit *unit, struct sshd_service *to) {
        size_t n = 0;
        int r = 0;

        for (size_t i = 1; i < unit->n_words && r >= 0; i++) {
                const char *word = unit->words[i].text;

                if (word[0] != '-' || word[1] == '\0' || strcmp(word, "--") == 0)
                        break;
                for (const char *option = word + 1; *option && r >= 0; option++) {
                        const char *value;

                        if (*option == 'i')
                                to->per_connection = true;
                        if (!strchr(WITH_VALUE, *option))
                                continue;
                        value = option[1] != '\0' ? option + 1 : i + 1 < unit->n_words ? unit->words[++i].text : "";
                        if (*option == 'f' || *option == 'o')
                                r = add_argument(to, &n, *option, value);
                        break;
                }
        }
        return r;
}

static void service_clear(struct sshd_service *service) {
        free(service->name);
        for (size_t i = 0; i < SSHD_ARGUMENTS_MAX; i++)
                free(service->arguments[i]);
        *service = (struct sshd_service){.name = NULL};
}

/* -ENOENT where it is no sshd. */
static int read_service(const char *name, struct sshd_service *ret) {
        struct sshd_service service = {.name = NULL};
        struct unit unit;
        int r;

        r = unit_read(name, SSHD_PROGRAM, &unit);
        if (r < 0)
                return r;
        r = take_arguments(&unit, &service);
        unit_clear(&unit);
        if (r >= 0) {
                service.name = strdup(name);
                if (!service.name)
                        r = -ENOMEM;
        }
        if (r < 0) {
                service_clear(&service);
                return r;
        }
        *ret = service; /* transferred */
        return 0;
}

/* What systemctl prints; NULL where it failed. */
static char *systemctl(const char *verb, const char *name, const char *first, const char *second) {
        char program[] = "/bin/systemctl", plain[] = "--plain", legend[] = "--no-legend", pager[] = "--no-pager",
             end[] = "--", words[4][UNIT_NAME_MAX];
        char *argv[] = {program, plain, legend, pager, words[0], words[1], words[2], end, words[3], NULL};
        struct program_result result = {.output = NULL};
        char *output = NULL;

        (void)snprintf(words[0], sizeof(words[0]), "%s", verb);
        (void)snprintf(words[1], sizeof(words[1]), "%s", first);
        (void)snprintf(words[2], sizeof(words[2]), "%s", second);
        (void)snprintf(words[3], sizeof(words[3]), "%s", name);
        if (program_run(argv, NULL, SYSTEMCTL_TIMEOUT_MS, &result) >= 0 && program_succeeded(&result)) {
                output = result.output; /* transferred */
                result.output = NULL;
        }
        program_result_clear(&result);
        return output;
}

static int take_state(struct sshd_service *service) {
        char *text = systemctl("show", service->name, "--property=ActiveState", "--property=MainPID");
        const char *state, *pid;

        if (!text)
                return -EIO;
        state = strstr(text, "ActiveState=");
        pid = strstr(text, "MainPID=");
        /* "reloading" is as good as active: it is asked to read its configuration again, and may have done so before. */
        service->active = state && (strncmp(state + strlen("ActiveState="), "active\n", 7) == 0 ||
                                    strncmp(state + strlen("ActiveState="), "reloading\n", 10) == 0);
        service->main_pid = pid ? (pid_t)strtol(pid + strlen("MainPID="), NULL, 10) : 0;
        free(text);
        return 0;
}

struct list {
        struct sshd_service *services;
        size_t n;
};

static int add_service(struct list *list, const char *name) {
        int r;

        if (list->n == SSHD_SERVICES_MAX)
                return -E2BIG;
        r = read_service(name, list->services + list->n);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        list->n++;
        return runs_systemd() ? take_state(list->services + list->n - 1) : 0;
}

/* A template whose instances stay: those that run. */
static int add_instances(struct list *list, const char *template) {
        char pattern[UNIT_NAME_MAX + 1], *text, *line, *rest;
        const char *at = strchr(template, '@');
        int r = 0;

        if (!runs_systemd())
                return 0;
        (void)snprintf(pattern, sizeof(pattern), "%.*s@*.service", (int)(at - template), template);
        text = systemctl("list-units", pattern, "--type=service", "--state=active,reloading");
        if (!text)
                return -EIO;
        rest = text;
        while (r >= 0 && (line = strsep(&rest, "\n"))) {
                line[strcspn(line, " ")] = '\0';
                if (*line)
                        r = add_service(list, line);
        }
        free(text);
        return r;
}

static int add_unit(struct list *list, const char *name) {
        struct sshd_service service;
        bool per_connection;
        int r;

        if (!strstr(name, "@.service"))
                return add_service(list, name);
        r = read_service(name, &service);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        per_connection = service.per_connection;
        if (!per_connection || list->n == SSHD_SERVICES_MAX) {
                service_clear(&service);
                return per_connection ? -E2BIG : add_instances(list, name);
        }
        list->services[list->n++] = service; /* transferred */
        return 0;
}

int sshd_services(struct sshd_service ret[static SSHD_SERVICES_MAX]) {
        static char names[UNIT_NAMES_MAX][UNIT_NAME_MAX];
        struct list list = {.services = ret};
        int n, r = 0;

        n = unit_names("sshd", names);
        if (n < 0)
                return n;
        for (int i = 0; i < n && r >= 0; i++)
                r = add_unit(&list, names[i]);
        if (r < 0) {
                sshd_services_clear(ret, list.n);
                return r;
        }
        return (int)list.n;
}

void sshd_services_clear(struct sshd_service *services, size_t n) {
        for (size_t i = 0; i < n; i++)
                service_clear(services + i);
}
