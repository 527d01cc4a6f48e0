/* SPDX-License-Identifier: Apache-2.0 */
/* All of an sshd's effective configuration. */
#ifndef EXC_SSHD_SETTINGS_H
#define EXC_SSHD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

struct sshd_settings {
        char *text; /* of sshd_effective() in admin/sshd/sshd.h; NULL: not known */
};

void sshd_settings_clear(struct sshd_settings *settings);

/* The value of the `nth` line (from 0) with this name, written in any case; false when there is none or it is too long. */
bool sshd_setting(const struct sshd_settings *settings, const char *name, size_t nth, char *ret, size_t size);

/* Whether there is such a line with this value. */
bool sshd_setting_is(const struct sshd_settings *settings, const char *name, const char *value);

#endif
