/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-instance-connect log
 *
 * 1. It reads the journal of this machine, without root's rights (log_journals.h), from an hour before --since: a
 *    connection that is shown may be about a key that was pushed before. A key may wait for a day, so our own events are
 *    read from then on.
 * 2. A first pass takes events about the time before them: how a key was used, and what is lost.
 * 3. What it reads becomes events (log_event.h), those become stories (history.h), and each story is a line (story.h).
 * 4. With --follow it then waits for more.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "admin/account.h"
#include "admin/command.h"
#include "admin/log/history.h"
#include "admin/log/log_journals.h"
#include "admin/log/log_since.h"
#include "cli/output.h"
#include "common/clock.h"
#include "wire/refusal.h"

#define US_PER_S INT64_C(1000000)
#define CONTEXT_US (3600 * US_PER_S)
#define PROGRESS_US US_PER_S

enum {
        REST = 1024, /* entries between looking around */
        UNRELIABLE_MS = 2000,
};

struct reading {
        const struct options *options;
        struct log_journals journals;
        struct history *history;
        struct account_names names;
        int signals; /* -EBADF, or where those that end the following arrive */
        bool following, stopped, told;
        int status;
        int64_t began_us, reported_us;
        uint64_t n_read;
};

/* Whether the process that a session was of is there, on this boot; with hidepid, any process of that number. */
static bool running(sd_id128_t boot, uint64_t pid) {
        char path[64], name[32] = "";
        sd_id128_t now;
        ssize_t n;
        int fd;

        if (sd_id128_get_boot(&now) < 0 || !sd_id128_equal(now, boot))
                return false;
        (void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/comm", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return pid <= INT_MAX && kill((pid_t)pid, 0) < 0 && errno == EPERM;
        n = read(fd, name, sizeof(name) - 1);
        (void)close(fd);
        return n > 0 && strncmp(name, "sshd", 4) == 0;
}

static void report(struct reading *reading) {
        int64_t now_us = clock_us(CLOCK_MONOTONIC);

        if (reading->following || now_us - reading->began_us < PROGRESS_US ||
            now_us - reading->reported_us < PROGRESS_US)
                return;
        reading->reported_us = now_us;
        progress("Reading the journal: %" PRIu64 " entries", reading->n_read);
}

static const char *own_name(void *context, const char *user) {
        struct reading *reading = context;
        bool had_failed = reading->names.failure < 0;
        const char *own = account_own_name(&reading->names, user);

        if (reading->names.failure < 0 && !had_failed) {
                progress_end();
                complain("the name service does not say whether %s is another name of an account: %s; names are shown "
                         "as "
                         "they were typed",
                         user, strerror(-reading->names.failure));
        }
        return own;
}

static void tell(void *context, const struct story *story) {
        struct reading *reading = context;

        progress_end();
        reading->told = true;
        if ((reading->options->json ? story_print_json(story) : story_print(story)) != EXIT_DONE)
                reading->status = EXIT_OWN_FAILURE;
}

static bool signalled(const struct reading *reading) {
        struct pollfd fd = {.fd = reading->signals, .events = POLLIN};

        return reading->signals >= 0 && poll(&fd, 1, 0) > 0;
}

/* All there is. */
static int read_on(struct reading *reading) {
        for (;;) {
                struct log_event event;
                int r = sd_journal_next(reading->journals.all);

                if (r == 0)
                        return reading->status;
                if (r > 0 && ++reading->n_read % REST == 0) {
                        report(reading);
                        reading->stopped = signalled(reading);
                        if (reading->stopped)
                                return reading->status;
                }
                if (r > 0)
                        r = log_event_read(reading->journals.all, &reading->journals.senders, &event);
                if (r > 0)
                        r = history_add(reading->history, &event);
                if (r < 0) {
                        progress_end();
                        return log_failed("cannot read the journal", r);
                }
                if (ferror(stdout))
                        return EXIT_OWN_FAILURE; /* main() says so */
        }
}

/* Until somebody says that it is enough. */
static int follow(struct reading *reading) {
        reading->following = true;
        history_follow(reading->history);
        for (;;) {
                struct pollfd fds[] = {
                        {.fd = sd_journal_get_fd(reading->journals.all), .events = POLLIN},
                        {.fd = reading->signals, .events = POLLIN},
                        {.fd = STDOUT_FILENO, .events = 0}, /* a pipe that nobody reads any more */
                };
                int status, timeout = history_tick(reading->history, clock_us(CLOCK_REALTIME)), r;

                if (fflush(stdout) != 0 || reading->status != EXIT_DONE)
                        return EXIT_OWN_FAILURE;
                if (fds[0].fd < 0)
                        return log_failed("cannot wait for the journal", fds[0].fd);
                /* On some file systems nobody says that a file has grown. */
                if (sd_journal_reliable_fd(reading->journals.all) <= 0 && (timeout < 0 || timeout > UNRELIABLE_MS))
                        timeout = UNRELIABLE_MS;
                r = poll(fds, sizeof(fds) / sizeof(fds[0]), timeout);
                if (r < 0 && errno != EINTR)
                        return log_failed("cannot wait", -errno);
                if (fds[1].revents || fds[2].revents & (POLLERR | POLLHUP))
                        return EXIT_DONE;
                r = sd_journal_process(reading->journals.all);
                if (r < 0)
                        return log_failed("cannot wait for the journal", r);
                status = read_on(reading);
                if (status != EXIT_DONE || reading->stopped)
                        return status;
        }
}

/* Blocked, so that ^C ends the reading and not the program. */
static int catch_signals(void) {
        sigset_t set;
        int fd;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* The first pass. Events that come after it are taken in when they are read. */
static int foresee(struct reading *reading) {
        int r = 0;

        while (r >= 0 && !reading->stopped) {
                struct log_event event;

                r = sd_journal_next(reading->journals.evidence);
                if (r <= 0)
                        break;
                if (++reading->n_read % REST == 0) {
                        report(reading);
                        reading->stopped = signalled(reading);
                }
                r = log_event_read(reading->journals.evidence, &reading->journals.senders, &event);
                if (r > 0)
                        r = history_foresee(reading->history, &event);
        }
        return r < 0 ? log_failed("cannot read the journal", r) : EXIT_DONE;
}

/* Events of ours from before what read_on() reads: of keys that may still wait. */
static int read_earlier(struct reading *reading, const struct history_view *view) {
        struct log_event event;
        int r = 0;

        while (reading->journals.earlier && r >= 0 && !reading->stopped &&
               (r = sd_journal_next(reading->journals.earlier)) > 0) {
                uint64_t us;

                if (++reading->n_read % REST == 0) {
                        report(reading);
                        reading->stopped = signalled(reading);
                }
                r = sd_journal_get_realtime_usec(reading->journals.earlier, &us);
                if (r < 0 || us >= (uint64_t)view->from_us)
                        break;
                r = log_event_read(reading->journals.earlier, &reading->journals.senders, &event);
                if (r > 0)
                        r = history_add(reading->history, &event);
        }
        return r < 0 ? log_failed("cannot read the journal", r) : EXIT_DONE;
}

static int read_all(struct reading *reading, const struct history_view *view) {
        bool follows = reading->options->follow;
        int status, r;

        if (follows) {
                reading->signals = catch_signals();
                if (reading->signals < 0)
                        return log_failed("cannot wait for signals", reading->signals);
        }
        r = history_new(view, &reading->history);
        status = r < 0 ? log_failed("cannot read the journal", r) : foresee(reading);
        if (status == EXIT_DONE && !reading->stopped)
                status = read_earlier(reading, view);
        if (status == EXIT_DONE && !reading->stopped)
                status = read_on(reading);
        progress_end();
        if (status == EXIT_DONE && follows && !reading->stopped)
                status = follow(reading);
        if (status == EXIT_DONE) {
                history_end(reading->history);
                status = reading->status;
        }
        history_free(reading->history);
        if (reading->signals >= 0)
                (void)close(reading->signals);
        return status;
}

static int show(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        int64_t now_us = clock_us(CLOCK_REALTIME);
        struct reading reading = {
                .options = options,
                .signals = -EBADF,
                .status = EXIT_DONE,
                .began_us = clock_us(CLOCK_MONOTONIC),
        };
        char user[GRANT_USER_MAX];
        struct history_view view = {
                .all = options->all, .own_name = own_name, .running = running, .tell = tell, .context = &reading};
        int status;

        (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* what the caller may have left open */
        if (options->user) {
                (void)snprintf(user, sizeof(user), "%s", own_name(&reading, options->user));
                view.user = user;
        }
        if (options->since) {
                if (!log_since(options->since, now_us, &view.since_us))
                        return cli_usage(line,
                                         "--since: invalid value '%s': expected a time in the past: " LOG_SINCE_FORMS,
                                         options->since);
        } else if (options->follow)
                view.since_us = now_us;
        view.from_us = view.since_us > CONTEXT_US ? view.since_us - CONTEXT_US : 0;
        status = log_journals_open(view.from_us, options->follow, &reading.journals);
        if (status == EXIT_DONE)
                status = read_all(&reading, &view);
        log_journals_close(&reading.journals);
        if (status == EXIT_DONE && !reading.told && !options->json && !options->follow && output_width(stdout) > 0)
                (void)printf("The journal has nothing about pushed keys%s%s.\n", options->user ? " of this user" : "",
                             options->since ? " since then" : "");
        return status;
}

static const struct cli_option log_options[] = {
        {.name = "user",
         .value = "USER",
         .take = admin_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes",
         .help = "of this user alone"},
        {.name = "since",
         .value = "TIME",
         .take = cli_take_text,
         .offset = offsetof(struct options, since),
         .help = "not what ended before (a key that waits has not):\n"
                 "\"2026-01-31 12:30\", 2026-01-31, 12:30, today, yesterday,\n"
                 "-1h, \"2 days ago\", @SECONDS"},
        {.name = "follow",
         .take = cli_take_flag,
         .offset = offsetof(struct options, follow),
         .help = "then wait for more, until it is interrupted"},
        {.name = "all",
         .take = cli_take_flag,
         .offset = offsetof(struct options, all),
         .help = "all SSH connections, with and without a pushed key"},
        {.name = "json",
         .take = cli_take_flag,
         .offset = offsetof(struct options, json),
         .help = "print each as one line of JSON"},
        /* No agent is asked: accepted as behind the other commands. */
        {.name = "socket",
         .value = "PATH",
         .take = cli_take_text,
         .offset = offsetof(struct options, socket),
         .flags = CLI_HIDDEN},
        {.name = NULL},
};

const struct cli_command log_command = {
        .words = "log",
        .summary = "show who came in with a pushed key, and who did not",
        .more = "Shows a line for each SSH connection that offered a pushed key, and for each push that was\n"
                "refused or of which no use is known: when, whose, from where, who asked for it, under which\n"
                "request, with which key, how it ended and why. It reads the journal, and says where that is\n"
                "incomplete.\n",
        .tables = {log_options},
        .run = show,
};
