/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/systemd.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "common/debug.h"

/* As systemctl(1) does it for root: a machine need not have a message bus, and that may hang. */
#define ADDRESS "unix:path=/run/systemd/private"
#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define UNITS "/org/freedesktop/systemd1/unit"

enum {
        US_PER_MS = 1000,
        ANSWER_MS = 5 * 1000,
};

/* systemctl(1) sees to the same variable. */
static bool in_chroot(void) {
        struct stat init_st, st;

        return !getenv("SYSTEMD_IGNORE_CHROOT") && stat("/proc/1/root", &init_st) == 0 && stat("/", &st) == 0 &&
               (init_st.st_dev != st.st_dev || init_st.st_ino != st.st_ino);
}

bool systemd_runs(void) {
        return sd_booted() > 0 && !in_chroot();
}

/* sd_bus_call(3) would wait for the other side's authentication as long as it takes. */
static int wait_until_ready(sd_bus *bus, int64_t deadline_us) {
        for (;;) {
                int r = sd_bus_is_ready(bus);
                int64_t left_us;

                if (r != 0)
                        return r;
                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                left_us = deadline_us - clock_us(CLOCK_MONOTONIC);
                if (left_us <= 0)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, (uint64_t)left_us);
                if (r < 0)
                        return r;
        }
}

static int connect_to(const char *address, int64_t deadline_us, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = wait_until_ready(bus, deadline_us);
        if (r < 0)
                sd_bus_close_unref(bus);
        else
                *ret = bus;
        return r;
}

/* What is left of the time for the next call. */
static int limit_call(sd_bus *bus, int64_t deadline_us) {
        int64_t left_us = deadline_us - clock_us(CLOCK_MONOTONIC);

        return left_us <= 0 ? -ETIMEDOUT : sd_bus_set_method_call_timeout(bus, (uint64_t)left_us);
}

static int64_t deadline_after(int timeout_ms) {
        return clock_us(CLOCK_MONOTONIC) + (int64_t)timeout_ms * US_PER_MS;
}

/*
 * The answer about a property of a unit or, where units have none of that name, of a service; to be unreferenced. systemd loads
 * the unit that the path names.
 */
static int get_property(sd_bus *bus, const char *unit, const char *property, const char *type, int64_t deadline_us,
                        sd_bus_message **ret) {
        static const char *const interfaces[] = {DESTINATION ".Unit", DESTINATION ".Service"};
        char *path = NULL;
        int r;

        r = sd_bus_path_encode(UNITS, unit, &path);
        if (r < 0)
                return r;
        r = -EBADR;
        /* It is UnknownProperty, and UnknownInterface of what is no service. */
        for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]) && r == -EBADR; i++) {
                r = limit_call(bus, deadline_us);
                if (r >= 0)
                        r = sd_bus_get_property(bus, DESTINATION, path, interfaces[i], property, NULL, ret, type);
        }
        free(path);
        return r == -EBADR ? -ENODATA : r;
}

static int add_strings(sd_bus_message *reply, struct strv *ret) {
        const char *text;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(reply, "s", &text)) > 0)
                r = strv_add(ret, text);
        return r;
}

/* `type`: "s", "u" or "as", and `ret` as its function above has it. */
static int get(const char *unit, const char *property, const char *type, void *ret) {
        int64_t deadline_us = deadline_after(ANSWER_MS);
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        const char *text;
        int r;

        r = connect_to(ADDRESS, deadline_us, &bus);
        if (r >= 0)
                r = get_property(bus, unit, property, type, deadline_us, &reply);
        if (r < 0)
                goto out;
        if (strcmp(type, "as") == 0)
                r = add_strings(reply, ret);
        else if (strcmp(type, "u") == 0)
                r = sd_bus_message_read(reply, type, ret);
        else {
                r = sd_bus_message_read(reply, type, &text);
                if (r >= 0) {
                        char *copy = strdup(text);

                        r = copy ? 0 : -ENOMEM;
                        if (copy)
                                *(char **)ret = copy; /* transferred */
                }
        }
out:
        debug_line("systemd: %s of %s: %s", property, unit, r < 0 ? strerror(-r) : "read");
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? r : 0;
}

int systemd_get_string(const char *unit, const char *property, char **ret) {
        return get(unit, property, "s", ret);
}

int systemd_get_strings(const char *unit, const char *property, struct strv *ret) {
        return get(unit, property, "as", ret);
}

int systemd_get_number(const char *unit, const char *property, uint32_t *ret) {
        return get(unit, property, "u", ret);
}

int systemd_list_active(const char *pattern, struct strv *ret) {
        int64_t deadline_us = deadline_after(ANSWER_MS);
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        const char *name;
        int r;

        r = connect_to(ADDRESS, deadline_us, &bus);
        if (r >= 0)
                r = limit_call(bus, deadline_us);
        if (r >= 0)
                r = sd_bus_call_method(bus, DESTINATION, MANAGER, "ListUnitsByPatterns", NULL, &reply, "asas", 2,
                                       "active", "reloading", 1, pattern);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, NULL,
                                                  NULL, NULL, NULL)) > 0)
                r = strv_add(ret, name);
        debug_line("systemd: active units %s: %s", pattern, r < 0 ? strerror(-r) : "listed");
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? r : 0;
}

/* --- a unit's state ------------------------------------------------------------------------------------------------ */

static int get_state(sd_bus *bus, const char *unit, const char *property, int64_t deadline_us,
                     char ret[static UNIT_STATE_MAX]) {
        sd_bus_message *reply = NULL;
        const char *text;
        int r;

        r = get_property(bus, unit, property, "s", deadline_us, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        if (r >= 0)
                (void)snprintf(ret, UNIT_STATE_MAX, "%s", text);
        sd_bus_message_unref(reply);
        return r;
}

int systemd_unit_state_at(const char *address, const char *name, int timeout_ms, struct unit_state *ret) {
        int64_t deadline_us = deadline_after(timeout_ms);
        struct unit_state state = {.load = ""};
        sd_bus *bus = NULL;
        int r;

        r = connect_to(address, deadline_us, &bus);
        if (r >= 0)
                r = get_state(bus, name, "LoadState", deadline_us, state.load);
        if (r >= 0)
                r = get_state(bus, name, "ActiveState", deadline_us, state.active);
        if (r >= 0)
                r = get_state(bus, name, "UnitFileState", deadline_us, state.file);
        if (r >= 0)
                *ret = state;
        debug_line("systemd: state of %s: %s", name, r < 0 ? strerror(-r) : state.active);
        sd_bus_close_unref(bus);
        return r < 0 ? r : 0;
}

int systemd_unit_state(const char *name, struct unit_state *ret) {
        return systemd_unit_state_at(ADDRESS, name, ANSWER_MS, ret);
}
