/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/sshd/sshd_memory.h"
#include "admin/unprivileged.h"
#include "authkeys-helper/identity.h"
#include "common/clock.h"

enum {
        TICK_MS = 100,
        DYING_MS = 500,
        ROUNDS_MAX = 20,
        PAUSE_US = 10 * 1000,
};

/* Whether the process behind a pidfd ends in time. */
static int wait_for_end(int pid_fd, int timeout_ms, void (*tick)(void *context), void *context) {
        int64_t deadline = clock_ms(CLOCK_MONOTONIC) + timeout_ms;

        for (;;) {
                struct pollfd end = {.fd = pid_fd, .events = POLLIN};
                int64_t left = deadline - clock_ms(CLOCK_MONOTONIC), wait = left > 0 ? left : 0;
                int n = poll(&end, 1, tick && wait > TICK_MS ? TICK_MS : (int)wait);

                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (left <= 0)
                        return -ETIMEDOUT;
                if (tick)
                        tick(context);
        }
}

/*
 * What the child had started is a child of this process now, and hangs as it did: it ends too. The kernel lists the children of each thread
 * (proc_pid_task(5), "children").
 */
static void end_orphans(void) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        for (int round = 0; round < ROUNDS_MAX; round++) {
                FILE *list = fopen(path, "re");
                int child, n = 0;

                while (list && fscanf(list, "%d", &child) == 1) {
                        n++;
                        (void)kill(child, SIGKILL);
                        (void)waitpid(child, NULL, WNOHANG);
                }
                if (list)
                        (void)fclose(list);
                if (n == 0)
                        return;
                (void)usleep(PAUSE_US); /* and what they had started */
        }
}

/* When doctor ends, all of it does. */
static void end_with(pid_t parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
}

int probe_watch(void (*look)(void *context), void (*tick)(void *context), void *context, int timeout_ms) {
        const struct sigaction standard = {.sa_handler = SIG_DFL};
        int pid_fd, status, r;
        pid_t parent = getpid(), child;

        /* Where it is ignored, as the parent of this process may have it, the kernel forgets how a child ended. */
        (void)sigaction(SIGCHLD, &standard, NULL);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void)fflush(NULL); /* or it would be written twice */
        child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                end_with(parent);
                (void)setpgid(0, 0);
                look(context);
                _exit(EXIT_SUCCESS);
        }
        pid_fd = (int)syscall(SYS_pidfd_open, child, 0); /* glibc has a function for it since 2.36 */
        r = pid_fd < 0 ? -errno : wait_for_end(pid_fd, timeout_ms, tick, context);
        if (r < 0) {
                /* The group too: without /proc there is no list of what it had started. */
                (void)kill(-child, SIGKILL);
                (void)kill(child, SIGKILL);
                /* One that hangs in the kernel is not waited for. */
                if (pid_fd >= 0)
                        (void)wait_for_end(pid_fd, DYING_MS, NULL, NULL);
                (void)waitpid(child, NULL, WNOHANG);
                end_orphans();
        } else if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
                r = -EIO;
        if (pid_fd >= 0)
                (void)close(pid_fd);
        return r;
}

int probe_run(void (*look)(void *context), void *context, int timeout_ms) {
        return probe_watch(look, NULL, context, timeout_ms);
}

int probe_become(const char *user) {
        pid_t parent = getppid();
        int r;

        sshd_memory_forget();
        r = identity_become(user);
        if (r < 0)
                return r;
        end_with(parent); /* the kernel forgets it when ids change (prctl(2)) */
        return 0;
}

int probe_unprivileged(const char **ret_what) {
        pid_t parent = getppid();
        int r;

        sshd_memory_forget();
        r = unprivileged(ret_what);
        if (r < 0)
                return r;
        end_with(parent);
        return 0;
}
