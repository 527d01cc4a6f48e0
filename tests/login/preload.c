/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests change for a program that preloads this, by NAME=VALUE of the environment:
 *   TEST_CLOCK        the kernel's state of the wall clock: synchronised, unsynchronised, or as chronyd without rtcsync
 *                     leaves it: chronyd
 *   TEST_WALL_STEP    seconds that CLOCK_REALTIME is ahead
 *   TEST_WRITE_DELAY  microseconds that pwrite(2) takes
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

/* As the kernel does: 16 s of error where the clock has not been set since the boot. */
int adjtimex(struct timex *t) {
        const char *clock = getenv("TEST_CLOCK");
        long state = syscall(SYS_adjtimex, t);

        if (!clock)
                return (int)state;
        if (state < 0) /* not allowed in a container */
                *t = (struct timex){.maxerror = 0};
        t->maxerror = strcmp(clock, "unsynchronised") == 0 ? 16000000 : 1000;
        if (strcmp(clock, "synchronised") == 0) {
                t->status &= ~STA_UNSYNC;
                return TIME_OK;
        }
        t->status |= STA_UNSYNC;
        return TIME_ERROR;
}

int clock_gettime(clockid_t id, struct timespec *t) {
        const char *step = getenv("TEST_WALL_STEP");
        long r = syscall(SYS_clock_gettime, id, t);

        if (r == 0 && id == CLOCK_REALTIME && step)
                t->tv_sec += atol(step);
        return (int)r;
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t offset) {
        const char *delay = getenv("TEST_WRITE_DELAY");

        if (delay)
                (void)usleep((useconds_t)atol(delay));
        return syscall(SYS_pwrite64, fd, from, n, offset);
}
