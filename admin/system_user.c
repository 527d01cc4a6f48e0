/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/system_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

enum system_user_state system_user_look(const char *name, struct system_user *ret) {
        const struct passwd *user;
        const struct group *group;

        *ret = (struct system_user){.error = 0};
        errno = 0;
        user = getpwnam(name);
        if (!user) {
                ret->error = errno;
                return errno != 0 && errno != ENOENT && errno != ESRCH ? SYSTEM_USER_UNKNOWN : SYSTEM_USER_MISSING;
        }
        ret->uid = user->pw_uid;
        ret->primary = user->pw_gid;
        group = getgrnam(name);
        if (!group)
                return SYSTEM_USER_NO_GROUP;
        ret->group = group->gr_gid;
        if (ret->group != ret->primary)
                return SYSTEM_USER_OTHER_GROUP;
        return ret->uid == 0 ? SYSTEM_USER_ROOT : SYSTEM_USER_FINE;
}
