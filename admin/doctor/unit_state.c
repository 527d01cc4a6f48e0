/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/unit_state.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* As systemctl(1) does it for root: a machine need not have a message bus, and that may hang. */
#define ADDRESS "unix:path=/run/systemd/private"

#define SERVICE "org.freedesktop.systemd1"
#define UNITS "/org/freedesktop/systemd1/unit"

enum {
        US_PER_MS = 1000,
        ANSWER_MS = 5 * 1000,
};

bool unit_state_known(void) {
        return sd_booted() > 0;
}

static int64_t now_us(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 * 1000 + t.tv_nsec / 1000;
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
                left_us = deadline_us - now_us();
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

static int read_property(sd_bus *bus, const char *path, const char *name, int64_t deadline_us,
                         char ret[static UNIT_STATE_MAX]) {
        int64_t left_us = deadline_us - now_us();
        char *value = NULL;
        int r;

        if (left_us <= 0)
                return -ETIMEDOUT;
        r = sd_bus_set_method_call_timeout(bus, (uint64_t)left_us);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SERVICE, path, SERVICE ".Unit", name, NULL, &value);
        if (r < 0)
                return r;
        (void)snprintf(ret, UNIT_STATE_MAX, "%s", value);
        free(value);
        return 0;
}

int unit_state_at(const char *address, const char *name, int timeout_ms, struct unit_state *ret) {
        int64_t deadline_us = now_us() + (int64_t)timeout_ms * US_PER_MS;
        struct unit_state state = {.load = ""};
        sd_bus *bus = NULL;
        char *path = NULL;
        int r;

        r = sd_bus_path_encode(UNITS, name, &path);
        if (r >= 0)
                r = connect_to(address, deadline_us, &bus);
        if (r >= 0)
                r = read_property(bus, path, "LoadState", deadline_us, state.load);
        if (r >= 0)
                r = read_property(bus, path, "ActiveState", deadline_us, state.active);
        if (r >= 0)
                r = read_property(bus, path, "UnitFileState", deadline_us, state.file);
        if (r >= 0)
                *ret = state;
        sd_bus_close_unref(bus);
        free(path);
        return r < 0 ? r : 0;
}

int unit_state(const char *name, struct unit_state *ret) {
        return unit_state_at(ADDRESS, name, ANSWER_MS, ret);
}
