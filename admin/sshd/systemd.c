/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/systemd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#define SOCKET "unix:path=/run/systemd/private"
#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

enum { ANSWER_USEC = 10 * 1000 * 1000 };

/* systemctl(1) sees to the same variable. */
static bool in_chroot(void) {
        struct stat init_st, st;

        return !getenv("SYSTEMD_IGNORE_CHROOT") && stat("/proc/1/root", &init_st) == 0 && stat("/", &st) == 0 &&
               (init_st.st_dev != st.st_dev || init_st.st_ino != st.st_ino);
}

bool systemd_runs(void) {
        return sd_booted() > 0 && !in_chroot();
}

static int open_bus(sd_bus **ret) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, SOCKET);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, ANSWER_USEC);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus; /* transferred */
        return 0;
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
        static const char *const interfaces[] = {DESTINATION ".Unit", DESTINATION ".Service"};
        sd_bus_message *loaded = NULL, *reply = NULL;
        const char *path, *text;
        sd_bus *bus = NULL;
        int r;

        r = open_bus(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, DESTINATION, MANAGER, "LoadUnit", NULL, &loaded, "s", unit);
        if (r >= 0)
                r = sd_bus_message_read(loaded, "o", &path);
        if (r >= 0) {
                r = -ENODATA;
                for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]) && !reply; i++)
                        if (sd_bus_get_property(bus, DESTINATION, path, interfaces[i], property, NULL, &reply, type) >=
                            0)
                                r = 0;
        }
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
        sd_bus_message_unref(reply);
        sd_bus_message_unref(loaded);
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
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        const char *name;
        int r;

        r = open_bus(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, DESTINATION, MANAGER, "ListUnitsByPatterns", NULL, &reply, "asas", 2,
                                       "active", "reloading", 1, pattern);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, NULL,
                                                  NULL, NULL, NULL)) > 0)
                r = strv_add(ret, name);
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? r : 0;
}
