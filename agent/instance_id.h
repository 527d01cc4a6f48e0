/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which instance this guest is. In this order: InstanceId in the configuration, the file instance-id beside it, the systemd
 * credential exc.instance_id, DMI chassis asset tag, DMI product serial; from DMI only a value that begins with
 * INSTANCE_ID_PREFIX, since makers put one text into many machines. It is never learnt from the channel.
 */
#ifndef EXC_INSTANCE_ID_H
#define EXC_INSTANCE_ID_H

#include "agent/config.h"

#define INSTANCE_ID_PREFIX "exc:compute:instance/"

enum { INSTANCE_ID_MAX = CONFIG_INSTANCE_ID_MAX + 1 }; /* with the NUL */

struct instance_id {
        char id[INSTANCE_ID_MAX]; /* without the prefix; "" where there is none */
        const char *source;       /* what it came from, for people */
        const char *fault;        /* why the first source that is there does not count, or NULL */
};

/*
 * Reads it anew. The first source that is there decides: one that cannot be used (not root's, unreadable, blank, not printable)
 * leaves the guest without an id rather than with another one.
 */
void instance_id_read(const struct config *config, const char *config_dir, struct instance_id *ret);

#endif
