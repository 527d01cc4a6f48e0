/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/syscall_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine/syscall_trap.h"

/*
 * Names that an architecture, or an older libseccomp, does not have are left out. None of them may change a
 * file's name, owner or mode, another process, or this one's credentials and name spaces.
 */
static const char *const common[] = {
        /* descriptors and files that are open */
        "close", "close_range", "dup", "dup2", "dup3", "fadvise64", "fcntl", "fdatasync", "flock", "fsync", "ftruncate",
        "ioctl", "lseek", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
        "readv", "sendfile", "copy_file_range", "sync_file_range", "write", "writev", "pipe", "pipe2",
        /* files by name; Landlock and their modes say which */
        "access", "chdir", "faccessat", "faccessat2", "fchdir", "fgetxattr", "flistxattr", "fstat", "fstatfs", "getcwd",
        "getdents", "getdents64", "getxattr", "lgetxattr", "listxattr", "llistxattr", "lstat", "newfstatat", "open",
        "openat", "openat2", "readlink", "readlinkat", "stat", "statfs", "statx", "umask", "inotify_add_watch",
        "inotify_init", "inotify_init1", "inotify_rm_watch",
        /* memory; mmap and mprotect are below */
        "brk", "madvise", "map_shadow_stack", "membarrier", "mincore", "mremap", "mseal", "msync", "munmap",
        "pkey_alloc", "pkey_free",
        /* threads, and this process itself */
        "arch_prctl", "capget", "exit", "exit_group", "futex", "futex_requeue", "futex_wait", "futex_waitv",
        "futex_wake", "get_mempolicy", "get_robust_list", "getcpu", "getegid", "geteuid", "getgid", "getgroups",
        "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage",
        "getsid", "gettid", "getuid", "pidfd_open", "prctl", "rseq", "sched_get_priority_max", "sched_get_priority_min",
        "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
        "sched_yield", "set_robust_list", "set_tid_address", "times", "wait4", "waitid",
        /* signals; those that are sent are below */
        "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
        "rt_sigtimedwait", "sigaltstack",
        /* time */
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday", "nanosleep",
        "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
        "timerfd_create", "timerfd_gettime", "timerfd_settime",
        /* waiting */
        "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
        "eventfd2", "poll", "ppoll", "pselect6", "select", "signalfd", "signalfd4",
        /* sockets; socket and socketpair are below */
        "accept", "accept4", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmmsg", "recvmsg",
        "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
        /* the system */
        "getrandom", "sysinfo", "uname"};

/*
 * Tried by libraries, which can do without them: to choose an address, to keep secrets in memory, to share memory, and by
 * libsystemd and libffi.
 */
static const char *const refused_quietly[] = {"bind",
                                              "fchmodat2",
                                              "ioprio_get",
                                              "ioprio_set",
                                              "listen",
                                              "listmount",
                                              "mbind",
                                              "memfd_create",
                                              "mlock",
                                              "mlock2",
                                              "mlockall",
                                              "munlock",
                                              "munlockall",
                                              "name_to_handle_at",
                                              "personality",
                                              "sched_setaffinity",
                                              "sched_setattr",
                                              "sched_setparam",
                                              "sched_setscheduler",
                                              "semctl",
                                              "semget",
                                              "semop",
                                              "semtimedop",
                                              "set_mempolicy",
                                              "setpriority",
                                              "setrlimit",
                                              "shmat",
                                              "shmctl",
                                              "shmdt",
                                              "shmget",
                                              "statmount"};

/*
 * Numbers since Linux 5.1 are the same on all architectures. Those after the last of Linux 6.1 (set_mempolicy_home_node)
 * that are not listed are newer than the lists.
 */
enum { NUMBER_KNOWN = 450, NUMBER_MAX = 511 };

struct build {
        const struct syscall_filter *filter;
        scmp_filter_ctx context;
        int error;                   /* the first one */
        bool listed[NUMBER_MAX + 1]; /* numbers that have a rule */
};

static bool is_own(const struct build *build, const char *name) {
        for (size_t i = 0; build->filter->calls && build->filter->calls[i]; i++)
                if (strcmp(build->filter->calls[i], name) == 0)
                        return true;
        return false;
}

static void add_number(struct build *build, uint32_t action, int number, const struct scmp_arg_cmp *condition) {
        int r = condition ? seccomp_rule_add(build->context, action, number, 1, *condition)
                          : seccomp_rule_add(build->context, action, number, 0);

        if (number <= NUMBER_MAX)
                build->listed[number] = true;
        if (r < 0 && build->error == 0)
                build->error = r;
}

/* `condition` may be NULL. Names that are not of this architecture have no number from 0 on. */
static void add(struct build *build, uint32_t action, const char *name, const struct scmp_arg_cmp *condition) {
        int number = seccomp_syscall_resolve_name(name);

        if (number >= 0)
                add_number(build, action, number, condition);
}

/* What the program lists itself has no other rule. */
static void add_if(struct build *build, uint32_t action, const char *name, struct scmp_arg_cmp condition) {
        if (!is_own(build, name))
                add(build, action, name, &condition);
}

/* That call fails with `error`; in the mode log it is logged and allowed, as all others. */
static void refuse_if(struct build *build, int error, const char *name, struct scmp_arg_cmp condition) {
        if (build->filter->mode == SYSCALL_FILTER_ON)
                add_if(build, SCMP_ACT_ERRNO((uint16_t)error), name, condition);
}

/* Nothing that is executable becomes so after it was written, as far as one call shows. */
static void add_memory(struct build *build) {
        enum { WRITE_EXEC = PROT_WRITE | PROT_EXEC };
        static const char *const protect[] = {"mprotect", "pkey_mprotect"};

        add_if(build, SCMP_ACT_ALLOW, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (build->filter->loads_modules) {
                add_if(build, SCMP_ACT_ALLOW, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, WRITE_EXEC, PROT_EXEC));
                refuse_if(build, EPERM, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, WRITE_EXEC, WRITE_EXEC));
        } else
                refuse_if(build, EPERM, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
        for (size_t i = 0; i < sizeof(protect) / sizeof(protect[0]); i++) {
                add_if(build, SCMP_ACT_ALLOW, protect[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
                refuse_if(build, EPERM, protect[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
        }
}

static struct scmp_arg_cmp first_is(int value) {
        return (struct scmp_arg_cmp){.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)value};
}

static void add_sockets(struct build *build) {
        bool netlink = false;

        for (const int *family = build->filter->families; family && *family != AF_UNSPEC; family++) {
                add_if(build, SCMP_ACT_ALLOW, "socket", first_is(*family));
                netlink = netlink || *family == AF_NETLINK;
        }
        if (!netlink)
                refuse_if(build, EAFNOSUPPORT, "socket", first_is(AF_NETLINK));
        add_if(build, SCMP_ACT_ALLOW, "socketpair", first_is(AF_UNIX));
}

/* Threads of this process, in its own name spaces, and signals and limits of itself. */
static void add_process(struct build *build) {
        enum {
                SPACES = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER |
                         CLONE_NEWUTS
        };
        static const char *const of_old[] = {"fork", "vfork"};
        static const char *const of_process[] = {"kill", "prlimit64", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tgkill"};

        add_if(build, SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | SPACES, CLONE_THREAD));
        /* Not a trap: the C library blocks all signals around it, in posix_spawn() and, from glibc 2.41 on, in fork(). */
        refuse_if(build, EPERM, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
        if (build->filter->mode == SYSCALL_FILTER_ON)
                for (size_t i = 0; i < sizeof(of_old) / sizeof(of_old[0]); i++)
                        if (!is_own(build, of_old[i]))
                                add(build, SCMP_ACT_ERRNO(EPERM), of_old[i], NULL);
        if (!is_own(build, "clone3"))
                add(build, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL);
        for (size_t i = 0; i < sizeof(of_process) / sizeof(of_process[0]); i++)
                add_if(build, SCMP_ACT_ALLOW, of_process[i], first_is(getpid()));
        add_if(build, SCMP_ACT_ALLOW, "prlimit64", first_is(0)); /* itself */
}

static void add_all(struct build *build) {
        for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
                if (!is_own(build, common[i]))
                        add(build, SCMP_ACT_ALLOW, common[i], NULL);
        for (size_t i = 0; build->filter->calls && build->filter->calls[i]; i++)
                add(build, SCMP_ACT_ALLOW, build->filter->calls[i], NULL);
        add_memory(build);
        add_sockets(build);
        add_process(build);
        if (build->filter->mode != SYSCALL_FILTER_ON)
                return;
        for (size_t i = 0; i < sizeof(refused_quietly) / sizeof(refused_quietly[0]); i++)
                if (!is_own(build, refused_quietly[i]))
                        add(build, SCMP_ACT_ERRNO(EPERM), refused_quietly[i], NULL);
        for (int number = NUMBER_KNOWN + 1; number <= NUMBER_MAX; number++)
                if (!build->listed[number])
                        add_number(build, SCMP_ACT_ERRNO(ENOSYS), number, NULL);
}

bool syscall_filter_mode_take(const char *text, void *member) {
        static const char *const names[] = {
                [SYSCALL_FILTER_ON] = "on",
                [SYSCALL_FILTER_LOG] = "log",
                [SYSCALL_FILTER_OFF] = "off",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(text, names[i]) == 0) {
                        *(enum syscall_filter_mode *)member = (enum syscall_filter_mode)i;
                        return true;
                }
        return false;
}

int syscall_filter_install(const struct syscall_filter *filter) {
        uint32_t otherwise = filter->mode == SYSCALL_FILTER_LOG ? SCMP_ACT_LOG : SCMP_ACT_TRAP;
        struct build build = {.filter = filter};
        int r;

        if (filter->mode == SYSCALL_FILTER_OFF)
                return 0;
        r = syscall_trap_start(filter->program, filter->advice);
        if (r < 0)
                return r;
        build.context = seccomp_init(otherwise);
        if (!build.context) /* or without memory */
                return -EOPNOTSUPP;
        r = seccomp_attr_set(build.context, SCMP_FLTATR_ACT_BADARCH, otherwise);
        if (r >= 0)
                r = seccomp_attr_set(build.context, SCMP_FLTATR_API_SYSRAWRC, 1);
        add_all(&build);
        if (r >= 0)
                r = build.error;
        if (r >= 0)
                r = seccomp_load(build.context);
        if (r >= 0 && filter->mode == SYSCALL_FILTER_ON && !is_own(&build, "clone"))
                r = syscall_trap_note_forks();
        seccomp_release(build.context);
        return r;
}
