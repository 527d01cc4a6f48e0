/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

int identity_become(const char *name) {
        const struct passwd *entry;

        errno = 0;
        entry = getpwnam(name);
        if (!entry)
                return errno > 0 && errno != ESRCH ? -errno : -ENOENT;
        if (geteuid() != 0)
                return entry->pw_uid == geteuid() ? 0 : -EPERM;
        if (initgroups(entry->pw_name, entry->pw_gid) < 0 ||
            setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
            setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
                return -errno;
        if (setenv("USER", entry->pw_name, 1) < 0 || setenv("LOGNAME", entry->pw_name, 1) < 0 ||
            setenv("HOME", entry->pw_dir, 1) < 0)
                return -errno;
        return 0;
}
