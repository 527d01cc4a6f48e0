/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/sign_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

struct run {
        pid_t pid;
        int pidfd;
        int output_fd;
        int64_t deadline_ms;
        int timeout_ms;
        char *why;
};

__attribute__((format(printf, 3, 4))) static int fail(char *why, int error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(why, SIGNER_WHY_MAX, format, arguments);
        va_end(arguments);
        return error;
}

/*
 * A file, not a pipe: writing to it cannot fail because the command does not read (SIGPIPE is the whole process's), and
 * `openssl pkeyutl -rawin` needs the length before it signs with Ed25519.
 */
static int make_input(const uint8_t *input, size_t length, int *ret_fd) {
        int fd, r = 0;

        fd = memfd_create("exc-pae", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        for (size_t used = 0; r == 0 && used < length;) {
                ssize_t n = write(fd, input + used, length - used);

                if (n >= 0)
                        used += (size_t)n;
                else if (errno != EINTR)
                        r = -errno;
        }
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r < 0)
                (void)close(fd);
        else
                *ret_fd = fd;
        return r;
}

/* posix_spawn(3) and its attributes return the error and do not set errno. */
static int spawn(const char *command, int input_fd, int output_fd, pid_t *ret) {
        char shell[] = "/bin/sh", option[] = "-c", *copy = strdup(command);
        char *argv[] = {shell, option, copy, NULL};
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int error;

        if (!copy)
                return -ENOMEM;
        if (posix_spawn_file_actions_init(&actions) != 0) {
                free(copy);
                return -ENOMEM;
        }
        if (posix_spawnattr_init(&attributes) != 0) {
                (void)posix_spawn_file_actions_destroy(&actions);
                free(copy);
                return -ENOMEM;
        }
        (void)sigemptyset(&none);
        (void)sigfillset(&all);
        error = posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
        if (error == 0)
                error = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
        if (error == 0)
                error = posix_spawnattr_setsigmask(&attributes, &none);
        if (error == 0)
                error = posix_spawnattr_setsigdefault(&attributes, &all);
        /* A session of its own: one signal ends a whole pipeline, and a passphrase prompt fails at once. */
        if (error == 0)
                error = posix_spawnattr_setflags(&attributes,
                                                 POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (error == 0)
                error = posix_spawn(ret, shell, &actions, &attributes, argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
        free(copy);
        return -error;
}

static int start(struct run *run, const char *command, const uint8_t *input, size_t length) {
        int input_fd = -EBADF, pipe_fds[2], r;

        r = make_input(input, length, &input_fd);
        if (r < 0)
                return r;
        if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
                r = -errno;
                (void)close(input_fd);
                return r;
        }
        r = spawn(command, input_fd, pipe_fds[1], &run->pid);
        (void)close(input_fd);
        (void)close(pipe_fds[1]);
        if (r < 0) {
                (void)close(pipe_fds[0]);
                return r;
        }
        run->output_fd = pipe_fds[0];
        run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0); /* glibc has it from 2.36 */
        return 0;
}

/* Waits until there is something to read, or the process has ended. */
static int wait_for(const struct run *run, int fd) {
        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int64_t left_ms = run->deadline_ms - clock_ms(CLOCK_MONOTONIC);
                int r = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;

                if (r > 0)
                        return 0;
                if (r == 0)
                        return fail(run->why, -ETIMEDOUT, "the command did not end within %g s", run->timeout_ms / 1e3);
                if (errno != EINTR) {
                        r = -errno;
                        return fail(run->why, r, "cannot wait for the command: %s", strerror(-r));
                }
        }
}

static int read_output(const struct run *run, uint8_t output[static SIGNER_OUTPUT_MAX], size_t *ret_length) {
        size_t used = 0;

        for (;;) {
                uint8_t more;
                bool full = used == SIGNER_OUTPUT_MAX;
                ssize_t n;
                int r;

                r = wait_for(run, run->output_fd);
                if (r < 0)
                        return r;
                n = read(run->output_fd, full ? &more : output + used, full ? 1 : SIGNER_OUTPUT_MAX - used);
                if (n == 0)
                        break;
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        r = -errno;
                        return fail(run->why, r, "cannot read what the command writes: %s", strerror(-r));
                }
                if (full)
                        return fail(run->why, -EINVAL, "the command wrote more than %d bytes, which is no signature",
                                    SIGNER_OUTPUT_MAX);
                used += (size_t)n;
        }
        *ret_length = used;
        return 0;
}

static int reap(const struct run *run) {
        int status;

        while (waitpid(run->pid, &status, 0) < 0)
                if (errno != EINTR) /* ECHILD: the process around this has its children reaped elsewhere */
                        return fail(run->why, -EIO, "the command's exit status is not known: %s", strerror(errno));
        if (WIFSIGNALED(status))
                return fail(run->why, -EIO, "the command was killed by signal %d", WTERMSIG(status));
        if (WEXITSTATUS(status) != 0)
                return fail(run->why, -EIO, "the command failed with exit status %d", WEXITSTATUS(status));
        return 0;
}

int sign_command_run(const char *command, int timeout_ms, const uint8_t *input, size_t length,
                     uint8_t ret_output[static SIGNER_OUTPUT_MAX], size_t *ret_length,
                     char ret_why[static SIGNER_WHY_MAX]) {
        struct run run = {
                .deadline_ms = clock_ms(CLOCK_MONOTONIC) + timeout_ms, .timeout_ms = timeout_ms, .why = ret_why};
        char ignored[SIGNER_WHY_MAX];
        size_t n = 0;
        int r;

        r = start(&run, command, input, length);
        if (r < 0)
                return fail(ret_why, r, "cannot start /bin/sh: %s", strerror(-r));
        if (run.pidfd < 0)
                r = fail(ret_why, -errno, "cannot watch the command: %s", strerror(errno));
        if (r == 0)
                r = read_output(&run, ret_output, &n);
        if (r == 0)
                r = wait_for(&run, run.pidfd);
        if (r < 0) {
                /* Not reaped yet, so the number is still its own. */
                (void)kill(-run.pid, SIGKILL);
                run.why = ignored;
                (void)reap(&run);
        } else
                r = reap(&run);
        if (run.pidfd >= 0)
                (void)close(run.pidfd);
        (void)close(run.output_fd);
        if (r == 0)
                *ret_length = n;
        return r;
}
