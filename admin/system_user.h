/* SPDX-License-Identifier: Apache-2.0 */
/* The system users of the package, each with a group of its own name. One that was there before may be otherwise. */
#ifndef EXC_SYSTEM_USER_H
#define EXC_SYSTEM_USER_H

#include <sys/types.h>

#define AGENT_USER "exc-instance-connect" /* beside HELPER_USER and LISTENER_RELAY_USER */

enum system_user_state {
        SYSTEM_USER_FINE,
        SYSTEM_USER_UNKNOWN, /* the name service failed; `error` says why */
        SYSTEM_USER_MISSING,
        SYSTEM_USER_NO_GROUP,
        SYSTEM_USER_OTHER_GROUP, /* `primary` is not `group` */
        SYSTEM_USER_ROOT,
};

struct system_user {
        uid_t uid;
        gid_t primary, group;
        int error; /* errno */
};

enum system_user_state system_user_look(const char *name, struct system_user *ret);

#endif
