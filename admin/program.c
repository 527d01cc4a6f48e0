/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/debug.h"

enum {
        NS_PER_MS = 1000000,
        REAP_NS = 2 * NS_PER_MS, /* between two looks whether it has ended */
        TRIES_FD = 3,            /* where the child keeps the pipe for its errno until it is executed */
};

static void close_from(unsigned first) {
        if (close_range(first, ~0U, 0) == 0)
                return;
        /* Linux before 5.9. */
        for (int fd = (int)first; fd < 65536; fd++)
                (void)close(fd);
}

static int become(const char *user) {
        struct passwd *entry;

        errno = 0;
        entry = getpwnam(user);
        if (!entry)
                return errno != 0 ? -errno : -ESRCH;
        if (initgroups(entry->pw_name, entry->pw_gid) < 0 ||
            setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
            setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
                return -errno;
        return 0;
}

/* The child. Returns only when it cannot be executed. */
static int execute(char *const argv[], const char *user, pid_t parent, int out_fd, int err_fd, int *tries_fd) {
        static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
        char *const environment[] = {path, locale, NULL};
        const struct sigaction standard = {.sa_handler = SIG_DFL};
        int null_fd, r = 0;
        sigset_t none;

        if (setpgid(0, 0) < 0)
                return -errno;
        null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null_fd < 0) {
                /* A chroot without devices. An empty file is as good. */
                int ends[2];

                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -errno;
                null_fd = ends[0];
                (void)close(ends[1]);
        }
        if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 || dup2(err_fd, STDERR_FILENO) < 0)
                return -errno;
        if (*tries_fd != TRIES_FD) {
                if (dup3(*tries_fd, TRIES_FD, O_CLOEXEC) < 0)
                        return -errno;
                *tries_fd = TRIES_FD;
        }
        close_from(TRIES_FD + 1);
        for (int number = 1; number < NSIG; number++)
                (void)sigaction(number, &standard, NULL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)umask(022);
        if (chdir("/") < 0)
                return -errno;
        if (user)
                r = become(user);
        if (r < 0)
                return r;
        /* The child dies with its parent. This comes after the ids change, which clears it (prctl(2)). */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        if (getppid() != parent)
                return -ESRCH;
        (void)execve(argv[0], argv, environment);
        return -errno;
}

struct stream {
        int fd; /* negative when it has ended */
        char *text;
        size_t used, size;
};

/* What is there to read. Negative errno. */
static int stream_read(struct stream *stream) {
        char chunk[4096];
        ssize_t n = read(stream->fd, chunk, sizeof(chunk));
        size_t keep;

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        if (n == 0) {
                (void)close(stream->fd);
                stream->fd = -EBADF;
                return 0;
        }
        keep = (size_t)n;
        if (keep > PROGRAM_OUTPUT_MAX - stream->used)
                keep = PROGRAM_OUTPUT_MAX - stream->used;
        if (stream->used + keep + 1 > stream->size) {
                size_t size = 2 * (stream->used + keep + 1);
                char *text = realloc(stream->text, size);

                if (!text)
                        return -ENOMEM;
                stream->text = text;
                stream->size = size;
        }
        memcpy(stream->text + stream->used, chunk, keep);
        stream->used += keep;
        stream->text[stream->used] = '\0';
        return 0;
}

/* Both to their ends. Negative errno, -ETIMEDOUT at `end_ms`. */
static int read_both(struct stream streams[static 2], int64_t end_ms) {
        while (streams[0].fd >= 0 || streams[1].fd >= 0) {
                struct pollfd waits[2] = {{.fd = streams[0].fd, .events = POLLIN},
                                          {.fd = streams[1].fd, .events = POLLIN}};
                int64_t left_ms = end_ms - clock_ms(CLOCK_MONOTONIC);
                int r;

                if (left_ms <= 0)
                        return -ETIMEDOUT;
                if (poll(waits, 2, (int)left_ms) < 0 && errno != EINTR)
                        return -errno;
                for (size_t i = 0; i < 2; i++)
                        if (waits[i].fd >= 0 && waits[i].revents != 0) {
                                r = stream_read(streams + i);
                                if (r < 0)
                                        return r;
                        }
        }
        return 0;
}

/* It has closed its output, and may go on for a while. */
static int wait_until(pid_t child, int64_t end_ms, int *ret_status) {
        for (;;) {
                const struct timespec pause = {.tv_nsec = REAP_NS};
                pid_t ended = waitpid(child, ret_status, WNOHANG);

                if (ended == child)
                        return 0;
                if (ended < 0 && errno != EINTR)
                        return -errno;
                if (clock_ms(CLOCK_MONOTONIC) >= end_ms)
                        return -ETIMEDOUT;
                (void)nanosleep(&pause, NULL);
        }
}

static void kill_group(pid_t child) {
        /* Not reaped yet, so that its number is nobody else's. It alone, where it came to no group of its own. */
        (void)kill(-child, SIGKILL);
        (void)kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
                continue;
}

/* Why it was not executed: an errno, or nothing when it was. */
static int read_failure(int fd) {
        ssize_t n;
        int failure;

        do
                n = read(fd, &failure, sizeof(failure));
        while (n < 0 && errno == EINTR);
        return n == (ssize_t)sizeof(failure) ? failure : 0;
}

static void close_pipe(int ends[static 2]) {
        for (int i = 0; i < 2; i++)
                if (ends[i] >= 0)
                        (void)close(ends[i]);
}

static void debug_run(char *const argv[], const char *user, int r, int status, int64_t took_ms) {
        char line[512] = "", end[64];
        size_t used = 0;

        /* All keys of SSH begin like this in base64. */
        for (size_t i = 0; argv[i] && used < sizeof(line); i++)
                used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i > 0 ? " " : "",
                                         strncmp(argv[i], "AAAA", 4) == 0 ? "..." : argv[i]);
        if (r < 0)
                (void)snprintf(end, sizeof(end), "%s", strerror(-r));
        else if (WIFEXITED(status))
                (void)snprintf(end, sizeof(end), "exit status %d", WEXITSTATUS(status));
        else
                (void)snprintf(end, sizeof(end), "signal %d", WTERMSIG(status));
        debug_line("ran: %s%s%s: %s, after %d ms", line, user ? ", as " : "", user ? user : "", end, (int)took_ms);
}

int program_run(char *const argv[], const char *user, int timeout_ms, struct program_result *ret) {
        int out[2] = {-EBADF, -EBADF}, err[2] = {-EBADF, -EBADF}, tries[2] = {-EBADF, -EBADF}, r, status = 0;
        const struct sigaction standard = {.sa_handler = SIG_DFL};
        struct stream streams[2] = {{.fd = -EBADF}, {.fd = -EBADF}};
        int64_t began_ms = clock_ms(CLOCK_MONOTONIC), end_ms = began_ms + timeout_ms;
        pid_t parent = getpid(), child;

        /* Our own parent may have left it ignored: then the kernel drops a child's exit status. */
        (void)sigaction(SIGCHLD, &standard, NULL);
        for (size_t i = 0; i < 2; i++) {
                streams[i].text = calloc(1, 1);
                streams[i].size = 1;
        }
        if (!streams[0].text || !streams[1].text) {
                r = -ENOMEM;
                goto out;
        }
        if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(tries, O_CLOEXEC) < 0) {
                r = -errno;
                goto out;
        }
        child = fork();
        if (child < 0) {
                r = -errno;
                goto out;
        }
        if (child == 0) {
                int tries_fd = tries[1], failure = execute(argv, user, parent, out[1], err[1], &tries_fd);

                _exit(write(tries_fd, &failure, sizeof(failure)) == (ssize_t)sizeof(failure) ? 127 : 126);
        }
        for (int i = 0; i < 3; i++) {
                int *end = (int *[]){&out[1], &err[1], &tries[1]}[i];

                (void)close(*end);
                *end = -EBADF;
        }
        streams[0].fd = out[0];
        streams[1].fd = err[0];
        out[0] = err[0] = -EBADF; /* transferred */
        r = read_both(streams, end_ms);
        if (r >= 0)
                r = wait_until(child, end_ms, &status);
        if (r < 0)
                kill_group(child);
        else
                r = read_failure(tries[0]);
out:
        close_pipe(out);
        close_pipe(err);
        close_pipe(tries);
        for (size_t i = 0; i < 2; i++)
                if (streams[i].fd >= 0)
                        (void)close(streams[i].fd);
        debug_run(argv, user, r, status, clock_ms(CLOCK_MONOTONIC) - began_ms);
        if (r < 0) {
                free(streams[0].text);
                free(streams[1].text);
                return r;
        }
        *ret = (struct program_result){.status = status, .output = streams[0].text, .complaint = streams[1].text};
        return 0;
}

bool program_succeeded(const struct program_result *result) {
        return WIFEXITED(result->status) && WEXITSTATUS(result->status) == 0;
}

void program_result_clear(struct program_result *result) {
        free(result->output);
        free(result->complaint);
        *result = (struct program_result){.output = NULL};
}
