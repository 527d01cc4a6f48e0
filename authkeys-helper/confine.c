/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- files -------------------------------------------------------------------------------------------------------- */

/* linux/landlock.h of Debian 12 ends with version 2; the later parts of the structure, and their bits, are of the ABI. */
struct ruleset {
        uint64_t handled_access_fs;
        uint64_t handled_access_net; /* since version 4: bits 0 and 1, TCP's bind and connect */
        uint64_t scoped;             /* since version 6: bits 0 and 1, abstract unix sockets and signals */
};

/* The rights of files that a version of the ABI knows: 13 in the first, one more in versions 2, 3 and 5. */
static uint64_t rights_of(int version) {
        int n = 13 + (version >= 2) + (version >= 3) + (version >= 5);

        return (UINT64_C(1) << n) - 1;
}

static size_t size_of(int version) {
        return version >= 6   ? sizeof(struct ruleset)
               : version >= 4 ? offsetof(struct ruleset, scoped)
                              : offsetof(struct ruleset, handled_access_net);
}

/* What is missing adds no right. */
static bool allow_below(int ruleset_fd, int dir_fd, const char *path, uint64_t rights) {
        struct landlock_path_beneath_attr rule = {.allowed_access = rights};
        bool added;

        rule.parent_fd = openat(dir_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (rule.parent_fd < 0)
                return errno == ENOENT || errno == EACCES || errno == ENOTDIR || errno == ELOOP;
        added = syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
        (void)close(rule.parent_fd);
        return added;
}

static bool allow_store(int ruleset_fd, const char *runtime_dir) {
        int root_fd = open(runtime_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        bool allowed;

        if (root_fd < 0)
                return true;
        allowed = allow_below(ruleset_fd, root_fd, ".", LANDLOCK_ACCESS_FS_READ_DIR) &&
                  allow_below(ruleset_fd, root_fd, "keys", LANDLOCK_ACCESS_FS_READ_FILE) &&
                  allow_below(ruleset_fd, root_fd, "claims",
                              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
        (void)close(root_fd);
        return allowed;
}

static bool confine_files(const char *runtime_dir) {
        long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        struct ruleset ruleset = {rights_of((int)version), 3, 3};
        bool confined;
        int fd;

        if (version < 1)
                return false;
        fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size_of((int)version), 0);
        if (fd < 0)
                return false;
        confined = allow_store(fd, runtime_dir) && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
        (void)close(fd);
        return confined;
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
