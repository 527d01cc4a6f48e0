/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests change for a program that preloads this, by NAME=VALUE of the environment:
 *   TEST_CLOCK        the kernel's state of the wall clock: synchronised, unsynchronised, or as chronyd without rtcsync
 *                     leaves it: chronyd
 *   TEST_WALL_STEP    seconds that CLOCK_REALTIME is ahead
 *   TEST_CLOCK_SET    a FIFO: the clock is set when somebody writes to it by how many more seconds
 *   TEST_WRITE_DELAY  microseconds that pwrite(2) takes
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int set_fd = -1; /* TEST_CLOCK_SET */
static long step;

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
        const char *step_before = getenv("TEST_WALL_STEP");
        long r = syscall(SYS_clock_gettime, id, t);

        if (r == 0 && id == CLOCK_REALTIME)
                t->tv_sec += step + (step_before ? atol(step_before) : 0);
        return (int)r;
}

/* A timer that is to be cancelled when the clock is set is the FIFO instead. */
int timerfd_create(clockid_t id, int flags) {
        const char *fifo = getenv("TEST_CLOCK_SET");

        if (id != CLOCK_REALTIME || !fifo)
                return (int)syscall(SYS_timerfd_create, id, flags);
        set_fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        return set_fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *at, struct itimerspec *before) {
        return fd == set_fd ? 0 : (int)syscall(SYS_timerfd_settime, fd, flags, at, before);
}

ssize_t read(int fd, void *to, size_t n) {
        char text[32] = "";

        if (fd < 0 || fd != set_fd)
                return syscall(SYS_read, fd, to, n);
        if (syscall(SYS_read, fd, text, sizeof(text) - 1) > 0)
                step += atol(text);
        errno = ECANCELED;
        return -1;
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t offset) {
        const char *delay = getenv("TEST_WRITE_DELAY");

        if (delay)
                (void)usleep((useconds_t)atol(delay));
        return syscall(SYS_pwrite64, fd, from, n, offset);
}
