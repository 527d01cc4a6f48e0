/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd says of one of its units. */
#ifndef EXC_UNIT_STATE_H
#define EXC_UNIT_STATE_H

#include <stdbool.h>

enum { UNIT_STATE_MAX = 24 };

struct unit_state {
        char load[UNIT_STATE_MAX];   /* "loaded", "not-found", "masked", … (systemctl show, LoadState) */
        char active[UNIT_STATE_MAX]; /* "active", "inactive", "failed", … */
        char sub[UNIT_STATE_MAX];    /* "listening", "running", "mounted", … */
        char file[UNIT_STATE_MAX];   /* "enabled", "static", "masked-runtime", …; "" where there is no file */
};

/* Whether systemd runs this machine (sd_booted(3)). */
bool unit_state_known(void);

/* Negative errno; -EIO where systemctl failed, -ETIMEDOUT where it did not answer. */
int unit_state(const char *name, struct unit_state *ret);

#endif
