/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a program may still make (seccomp(2), by libseccomp, on x86-64 and aarch64). One list has what the C
 * library, libsystemd, OpenSSL and threads call, on each release that the packages are for, and more that is harmless; a
 * program adds its own.
 *
 *      static const char *const calls[] = {"mkdirat", "unlinkat", NULL};
 *      static const int families[] = {AF_UNIX, AF_UNSPEC};
 *      static const struct syscall_filter filter = {
 *              .program = "exc-host", .advice = "see exc-host(8)", .calls = calls, .families = families};
 *
 *      r = syscall_filter_install(&filter);
 *
 * 1. A call that is not listed is trapped: confine/syscall_trap.h has what happens then.
 * 2. A call that libraries try and can do without, as mlock(2), fails with EPERM. One that is newer than the lists fails
 *    with ENOSYS, as on an older kernel; so does clone3(2), whose flags a filter cannot read.
 * 3. Threads can be started, processes and programs cannot. socket(2) makes sockets of the listed families; AF_NETLINK fails
 *    with EAFNOSUPPORT unless it is listed. Signals go to this process alone. No memory is writable and executable.
 * 4. A program that loads no module after this has executable memory refused, and says otherwise with `loads_modules`: one
 *    that asks the name service, or converts between character sets, loads some.
 *
 * It holds for this thread and those that it starts: install it before the first thread. It sets no_new_privs.
 */
#ifndef EXC_SYSCALL_FILTER_H
#define EXC_SYSCALL_FILTER_H

#include <stdbool.h>

enum syscall_filter_mode {
        SYSCALL_FILTER_ON,
        SYSCALL_FILTER_LOG, /* the kernel logs what would be refused, and allows it */
        SYSCALL_FILTER_OFF,
};

struct syscall_filter {
        enum syscall_filter_mode mode;
        const char *program;      /* the journal's identifier */
        const char *advice;       /* ends the message about a call: where to read on */
        const char *const *calls; /* beside the common ones; the last is NULL. Of these, no argument is looked at */
        const int *families;      /* of sockets; the last is AF_UNSPEC */
        bool loads_modules;
};

/* For a row of common/service_options.h, whose member is an enum syscall_filter_mode. */
#define SYSCALL_FILTER_MODES "on, log or off"
bool syscall_filter_mode_take(const char *text, void *member);

/*
 * The strings must stay. 0, for SYSCALL_FILTER_OFF too. Negative errno, and there is no filter: -ENOSYS on another
 * architecture, -EINVAL where the kernel has no seccomp.
 */
int syscall_filter_install(const struct syscall_filter *filter);

#endif
