/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/unprivileged.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "confine/privileges.h"

enum { NOBODY = 65534 }; /* user and group; systemd's UIDS-GIDS has the number */

/* NULL, or the call that failed; errno says why. */
static const char *become_nobody(void) {
        const struct group *journal = getgrnam("systemd-journal");

        if (setgroups(journal ? 1 : 0, journal ? &journal->gr_gid : NULL) < 0)
                return "setgroups";
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0)
                return "setresgid";
        return setresuid(NOBODY, NOBODY, NOBODY) < 0 ? "setresuid" : NULL;
}

/*
 * Name service modules run under it, so it says what is refused. A process may put input into its controlling terminal, from
 * which the administrator's shell would read it.
 */
static void filter_calls(void) {
        static const char *const refused[] = {"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev"};
        static const scmp_datum_t input[] = {TIOCSTI, TIOCLINUX};
        scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
        int r = context ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < sizeof(refused) / sizeof(refused[0]); i++)
                r = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(refused[i]), 0);
        for (size_t i = 0; r == 0 && i < sizeof(input) / sizeof(input[0]); i++)
                r = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                     SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, input[i]));
        if (r == 0)
                (void)seccomp_load(context);
        if (context)
                seccomp_release(context);
}

int unprivileged(const char **ret_what) {
        int r;

        if (geteuid() == 0) {
                const char *failed = become_nobody();

                if (failed) {
                        *ret_what = failed;
                        return -errno;
                }
        }
        r = privileges_drop();
        if (r < 0) {
                *ret_what = "capabilities";
                return r;
        }
        filter_calls();
        return 0;
}
