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

/* Adds the names of the units that match a pattern and are active or reloading. */
int systemd_list_active(const char *pattern, struct strv *ret);

#endif
