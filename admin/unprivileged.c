/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/unprivileged.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* The same. */
static const char *give_up_rest(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        static const struct __user_cap_data_struct no_capabilities[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capset, &header, no_capabilities) < 0)
                return "capset";
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? "no_new_privs" : NULL;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
#define REFUSE_IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), REFUSE

/*
 * Name service modules run under it, so it says what is refused. A process may put input into its controlling terminal, from
 * which the administrator's shell would read it.
 */
static const struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
#ifdef __x86_64__
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* those of x32 */
        REFUSE,
#endif
        REFUSE_IF(__NR_execve),
        REFUSE_IF(__NR_execveat),
        REFUSE_IF(__NR_ptrace),
        REFUSE_IF(__NR_process_vm_readv),
        REFUSE_IF(__NR_process_vm_writev),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        LOAD(args[1]), /* its low half: both architectures are little endian */
        REFUSE_IF(TIOCSTI),
        REFUSE_IF(TIOCLINUX),
        RETURN(SECCOMP_RET_ALLOW),
};

static void filter_calls(void) {
        /* The kernel does not write to it. */
        struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), (struct sock_filter *)(uintptr_t)filter};

        (void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

#else

static void filter_calls(void) {
}

#endif

int unprivileged(const char **ret_what) {
        const char *failed = geteuid() == 0 ? become_nobody() : NULL;

        if (!failed)
                failed = give_up_rest();
        if (failed) {
                *ret_what = failed;
                return -errno;
        }
        filter_calls();
        return 0;
}
