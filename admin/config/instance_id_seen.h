/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_INSTANCE_ID_SEEN_H
#define EXC_INSTANCE_ID_SEEN_H

#include "agent/instance_id.h"

/* As instance_id.h has them. */
struct instance_seen {
        char id[INSTANCE_ID_MAX];
        const char *source, *fault;
};

/*
 * Reads the sources of the id with the agent's rights: root could read more. systemd hands a credential to the agent alone, so
 * it is not among them. Where there is no such user, the package is not installed here, and the caller's rights count. 0, with
 * all zeros where the configuration cannot be read, or negative errno.
 */
int instance_id_seen(struct instance_seen *ret);

#endif
