/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: what tests/agent/confine_test.py needs of the kernel and of the agent. LANDLOCK_VERSION is the newest version of
 * Landlock's ABI that the agent is told of. Where AGENT_TRACES names a file that is there, the agent asks to be traced when it
 * asks about the clock, in its main thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

typedef long call(long, ...);

long syscall(long number, ...) {
        const char *version = getenv("LANDLOCK_VERSION");
        call *next = (call *)dlsym(RTLD_NEXT, "syscall");
        long a[6], r;
        va_list arguments;

        va_start(arguments, number);
        for (int i = 0; i < 6; i++)
                a[i] = va_arg(arguments, long);
        va_end(arguments);
        r = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (number == SYS_landlock_create_ruleset && a[0] == 0 && version && atol(version) < r)
                return atol(version);
        return r;
}

int adjtimex(struct timex *state) {
        const char *traces = getenv("AGENT_TRACES");

        if (traces && access(traces, F_OK) == 0)
                (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        *state = (struct timex){.maxerror = 1000};
        return TIME_OK;
}
