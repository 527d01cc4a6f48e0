/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/landlock.h"

/* --- files -------------------------------------------------------------------------------------------------------- */

static bool confine_files(const char *runtime_dir) {
        static const int flags = O_DIRECTORY | O_NOFOLLOW;
        struct landlock landlock;
        int root_fd;

        if (landlock_begin(LANDLOCK_LIMIT_ALL, &landlock) < 0)
                return false;
        root_fd = open(runtime_dir, O_PATH | O_CLOEXEC | flags);
        if (root_fd >= 0) {
                landlock_allow(&landlock, root_fd, ".", flags, LANDLOCK_ACCESS_FS_READ_DIR);
                landlock_allow(&landlock, root_fd, "keys", flags, LANDLOCK_ACCESS_FS_READ_FILE);
                landlock_allow(&landlock, root_fd, "claims", flags,
                               LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
                (void)close(root_fd);
        }
        return landlock_enforce(&landlock) >= 0;
}

/* --- system calls ------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | ENOSYS)

/* With a condition on the low half of an argument: both architectures are little endian. `test` is BPF_JEQ or BPF_JSET. */
#define ALLOW_IF(name, argument, test, value, if_true, if_false)                                                       \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD(args[argument]),                                  \
                BPF_JUMP(BPF_JMP | test | BPF_K, value, if_true, if_false), RETURN(SECCOMP_RET_ALLOW), REFUSE

/*
 * What the helper calls with the C libraries of Debian 12 and 13, as tests/login/confine_test.sh finds it, with what others
 * may call instead: fstat, newfstatat and statx; poll and ppoll. Those that stand first are called most.
 */
static const struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr), /* those of x32 have another bit and match nothing */
        ALLOW(read),
        ALLOW(close),
        ALLOW(openat),
        ALLOW(fstat),
        ALLOW(newfstatat),
        ALLOW(write),
        ALLOW(exit_group),
        ALLOW(fstatfs),
        ALLOW(fcntl),
        ALLOW(getdents64),
        ALLOW(pread64),
        ALLOW(pwrite64),
        ALLOW(sendto),
        ALLOW(sendmsg),
        ALLOW(connect),
        ALLOW(ppoll),
#ifdef __NR_poll
        ALLOW(poll),
#endif
        ALLOW(brk),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(clock_gettime),
        ALLOW(lseek),
        ALLOW(statx),
        ALLOW(getrandom),
        ALLOW(futex),
        ALLOW(getpid),
        ALLOW(geteuid),
        ALLOW(rt_sigreturn),
        ALLOW(restart_syscall),
        ALLOW(exit),
        ALLOW_IF(socket, 0, BPF_JEQ, AF_UNIX, 0, 1),
        ALLOW_IF(mmap, 2, BPF_JSET, PROT_EXEC, 1, 0),
        ALLOW_IF(mprotect, 2, BPF_JSET, PROT_EXEC, 1, 0),
        REFUSE,
};

static bool confine_calls(void) {
        /* The kernel does not write to it. */
        struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), (struct sock_filter *)(uintptr_t)filter};

        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

#else

static bool confine_calls(void) {
        return false;
}

#endif

int confine(const char *runtime_dir, unsigned layers) {
        static const struct rlimit none = {0, 0};
        int in_effect = 0;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        (void)setrlimit(RLIMIT_NPROC, &none);
        if ((layers & CONFINE_FILES) != 0 && confine_files(runtime_dir))
                in_effect |= CONFINE_FILES;
        if ((layers & CONFINE_CALLS) != 0 && confine_calls())
                in_effect |= CONFINE_CALLS;
        return in_effect;
}
