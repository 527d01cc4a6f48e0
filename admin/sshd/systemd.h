/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd says of its units. It is asked on its private socket, as systemctl(1) does it as root: a machine need not
 * have a D-Bus daemon.
 */
#ifndef EXC_SYSTEMD_H
#define EXC_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/strv.h"

/* Whether systemd runs this machine (sd_booted(3)), and this is no chroot within it, as of an image that is being built. */
bool systemd_runs(void);

/*
 * A property of a unit, which is loaded for that where it is not (org.freedesktop.systemd1(5)): a string, to be freed; a list
 * of strings, added to `ret`; a number. Negative errno; -ENODATA where the unit has no such property.
 */
int systemd_get_string(const char *unit, const char *property, char **ret);
int systemd_get_strings(const char *unit, const char *property, struct strv *ret);
int systemd_get_number(const char *unit, const char *property, uint32_t *ret);

enum { UNIT_STATE_MAX = 24 };

struct unit_state {
        char load[UNIT_STATE_MAX];   /* "loaded", "not-found", "masked", … (org.freedesktop.systemd1(5), LoadState) */
        char active[UNIT_STATE_MAX]; /* "active", "inactive", "failed", … */
        char file[UNIT_STATE_MAX];   /* "enabled", "static", "masked-runtime", …; "" where there is no file */
};

/* Negative errno, -ETIMEDOUT after 5 s. */
int systemd_unit_state(const char *name, struct unit_state *ret);

/* The same from a D-Bus address (sd_bus_set_address(3)). */
int systemd_unit_state_at(const char *address, const char *name, int timeout_ms, struct unit_state *ret);

/* Adds the names of the units that match a pattern and are active or reloading. */
int systemd_list_active(const char *pattern, struct strv *ret);

#endif
