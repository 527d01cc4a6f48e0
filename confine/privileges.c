/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The bounding set first, which takes a capability to change. One that is not in this kernel ends the list (EINVAL). */
static int drop_capabilities(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

        if (syscall(SYS_capget, &header, sets) < 0)
                return -errno;
        if ((sets[0].permitted | sets[1].permitted | sets[0].inheritable | sets[1].inheritable) == 0)
                return 0;
        for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
                ;
        sets[0] = sets[1] = (struct __user_cap_data_struct){0};
        return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int privileges_drop(void) {
        int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0, dropped = drop_capabilities();

        return r < 0 ? r : dropped;
}
