/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd says of one of its units. */
#ifndef EXC_UNIT_STATE_H
#define EXC_UNIT_STATE_H

#include <stdbool.h>

enum { UNIT_STATE_MAX = 24 };

struct unit_state {
        char load[UNIT_STATE_MAX];   /* "loaded", "not-found", "masked", … (org.freedesktop.systemd1(5), LoadState) */
        char active[UNIT_STATE_MAX]; /* "active", "inactive", "failed", … */
        char file[UNIT_STATE_MAX];   /* "enabled", "static", "masked-runtime", …; "" where there is no file */
};

/* Whether systemd runs this machine (sd_booted(3)). */
bool unit_state_known(void);

/* Asks systemd, as root. Negative errno, -ETIMEDOUT after 5 s. */
int unit_state(const char *name, struct unit_state *ret);

/* The same from a D-Bus address (sd_bus_set_address(3)). */
int unit_state_at(const char *address, const char *name, int timeout_ms, struct unit_state *ret);

#endif
