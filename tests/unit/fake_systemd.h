/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process in systemd's place, on its private socket. It says what is in /run/test/state-NAME, in lines PROPERTY=VALUE, and
 * that units lie in WORLD_UNITS; /run/test/list has the names of those that are active.
 */
#ifndef EXC_FAKE_SYSTEMD_H
#define EXC_FAKE_SYSTEMD_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "tests/unit/sshd_world.h"

#define FAKE_UNIT_PATH "/org/freedesktop/systemd1/unit"

static inline void fake_value(const char *unit, const char *property, char ret[static 256]) {
        char path[512], line[512];
        FILE *file;

        ret[0] = '\0';
        (void)snprintf(path, sizeof(path), WORLD_UNITS "/%s", unit);
        if (strcmp(property, "FragmentPath") == 0 && world_has(path))
                (void)snprintf(ret, 256, "%.255s", path);
        (void)snprintf(path, sizeof(path), "/run/test/state-%s", unit);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file)) {
                size_t n = strlen(property);

                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, property, n) == 0 && line[n] == '=')
                        (void)snprintf(ret, 256, "%.255s", line + n + 1);
        }
        if (file)
                (void)fclose(file);
}

static inline int fake_property(sd_bus_message *call, sd_bus_message *reply) {
        char value[256], *unit = NULL, *rest = value, *one;
        const char *interface, *property;
        int r;

        if (sd_bus_message_read(call, "ss", &interface, &property) < 0 ||
            sd_bus_path_decode(sd_bus_message_get_path(call), FAKE_UNIT_PATH, &unit) <= 0)
                abort();
        fake_value(unit, property, value);
        free(unit);
        if (strcmp(property, "MainPID") == 0)
                return sd_bus_message_append(reply, "v", "u", (uint32_t)strtoul(value, NULL, 10));
        if (strcmp(property, "DropInPaths") != 0 && strcmp(property, "TriggeredBy") != 0)
                return sd_bus_message_append(reply, "v", "s", value);
        r = sd_bus_message_open_container(reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        while (r >= 0 && (one = strsep(&rest, " ")))
                if (*one)
                        r = sd_bus_message_append(reply, "s", one);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static inline int fake_list(sd_bus_message *reply) {
        char line[512], path[] = "/";
        FILE *file = fopen("/run/test/list", "re");
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
        while (r >= 0 && file && fgets(line, sizeof(line), file)) {
                line[strcspn(line, "\n")] = '\0';
                r = sd_bus_message_append(reply, "(ssssssouso)", line, "", "loaded", "active", "running", "", path, 0,
                                          "", path);
        }
        if (file)
                (void)fclose(file);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static inline int fake_answer(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(call);
        sd_bus_message *reply = NULL;
        int r;

        (void)userdata;
        (void)error;
        /* That the other end is gone is a message too. */
        if (sd_bus_message_is_method_call(call, NULL, NULL) <= 0)
                return 0;
        if (sd_bus_message_new_method_return(call, &reply) < 0)
                abort();
        if (strcmp(member, "Get") == 0)
                r = fake_property(call, reply);
        else
                r = fake_list(reply);
        if (r < 0 || sd_bus_send(sd_bus_message_get_bus(call), reply, NULL) < 0)
                abort();
        sd_bus_message_unref(reply);
        return 1;
}

static inline void fake_serve(int fd) {
        sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        if (sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
            sd_bus_set_server(bus, 1, id) < 0 || sd_bus_add_filter(bus, NULL, fake_answer, NULL) < 0 ||
            sd_bus_start(bus) < 0)
                abort();
        while ((r = sd_bus_process(bus, NULL)) >= 0)
                if (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0)
                        break;
        sd_bus_unref(bus);
}

/* After world_reset(): from here systemd runs. */
static inline void fake_systemd(void) {
        const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/private"};
        static pid_t child;
        int listening;

        if (child > 0) {
                (void)kill(child, SIGKILL);
                (void)waitpid(child, NULL, 0);
        }
        /* The tests may run in a chroot. */
        if (setenv("SYSTEMD_IGNORE_CHROOT", "1", 1) < 0)
                abort();
        world_directory("/run/systemd/system");
        listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listening < 0 || bind(listening, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(listening, 8) < 0)
                abort();
        child = scratch_fork();
        if (child < 0)
                abort();
        if (child > 0) {
                (void)close(listening);
                return;
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0)
                        fake_serve(fd);
        }
}

#endif
