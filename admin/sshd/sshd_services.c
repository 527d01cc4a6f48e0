/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/sshd/sshd.h"
#include "admin/sshd/systemd.h"
#include "admin/sshd/unit.h"

/* Options of sshd's that have a value, of all versions (getopt() in sshd.c's main()). */
#define WITH_VALUE "CEbcfghkopu"

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
        const struct strv *words = &unit->words;
        size_t n = 0;
        int r = 0;

        for (size_t i = unit->first; i < words->n && r >= 0; i++) {
                const char *word = words->item[i];

                if (word[0] != '-' || word[1] == '\0' || strcmp(word, "--") == 0)
                        break;
                for (const char *option = word + 1; *option && r >= 0; option++) {
                        const char *value;

                        if (*option == 'i')
                                to->per_connection = true;
                        if (!strchr(WITH_VALUE, *option))
                                continue;
                        value = option[1] != '\0' ? option + 1 : i + 1 < words->n ? words->item[++i] : "";
                        if (*option == 'f' || *option == 'o')
                                r = add_argument(to, &n, *option, value);
                        break;
                }
        }
        return r;
}

static void service_clear(struct sshd_service *service) {
        free(service->name);
        free(service->keys_command_file);
        for (size_t i = 0; i < SSHD_ARGUMENTS_MAX; i++)
                free(service->arguments[i]);
        *service = (struct sshd_service){.name = NULL};
}

/* -ENOENT where it is no sshd. */
static int read_service(const char *name, struct sshd_service *ret) {
        struct sshd_service service = {.name = NULL};
        struct unit unit;
        int r;

        r = unit_read(name, SSHD_PROGRAM, "AuthorizedKeysCommand", &unit);
        if (r < 0)
                return r;
        r = take_arguments(&unit, &service);
        service.keys_command_file = unit.file_with; /* transferred */
        unit.file_with = NULL;
        unit_clear(&unit);
        service.name = strdup(name);
        if (r >= 0 && !service.name)
                r = -ENOMEM;
        if (r < 0)
                service_clear(&service);
        else
                *ret = service; /* transferred */
        return r;
}

static int take_state(struct sshd_service *service) {
        uint32_t pid = 0;
        char *state;
        int r;

        r = systemd_get_string(service->name, "ActiveState", &state);
        if (r < 0)
                return r;
        /* "reloading" is as good as active: it is asked to read its configuration again, and may have done so before. */
        service->active = strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0;
        free(state);
        r = systemd_get_number(service->name, "MainPID", &pid);
        service->main_pid = (pid_t)pid;
        return r;
}

struct list {
        struct sshd_service *services;
        size_t n;
};

static int add_service(struct list *list, const char *name) {
        struct sshd_service service;
        int r;

        r = read_service(name, &service);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (list->n == SSHD_SERVICES_MAX) {
                service_clear(&service);
                return -E2BIG;
        }
        list->services[list->n++] = service; /* transferred */
        return systemd_runs() && !unit_is_template(name) ? take_state(list->services + list->n - 1) : 0;
}

/* A template is for each connection, or it has instances that stay: those that run. */
static int add_template(struct list *list, const char *template) {
        struct strv instances = {.n = 0};
        struct sshd_service service;
        char pattern[NAME_MAX + 2];
        bool per_connection;
        int r;

        r = read_service(template, &service);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        per_connection = service.per_connection;
        service_clear(&service);
        if (per_connection)
                return add_service(list, template);
        if (!systemd_runs())
                return 0;
        (void)snprintf(pattern, sizeof(pattern), "%.*s*" UNIT_SUFFIX, (int)(strlen(template) - strlen(UNIT_SUFFIX)),
                       template);
        r = systemd_list_active(pattern, &instances);
        for (size_t i = 0; i < instances.n && r >= 0; i++)
                r = add_service(list, instances.item[i]);
        strv_clear(&instances);
        return r;
}

int sshd_services(struct sshd_service ret[static SSHD_SERVICES_MAX]) {
        struct list list = {.services = ret};
        struct strv names = {.n = 0};
        int r;

        r = unit_names("sshd", &names);
        for (size_t i = 0; i < names.n && r >= 0; i++)
                if (i == 0 || strcmp(names.item[i], names.item[i - 1]) != 0)
                        r = unit_is_template(names.item[i]) ? add_template(&list, names.item[i])
                                                            : add_service(&list, names.item[i]);
        strv_clear(&names);
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
