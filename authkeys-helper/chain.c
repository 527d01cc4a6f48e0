/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authkeys-helper/event.h"
#include "authkeys-helper/lookup.h"
#include "common/debug.h"
#include "common/lifetime.h"
#include "common/safe_path.h"

_Noreturn void chain_other(const struct arguments *asked, const struct caller *caller) {
        const struct connection_id *who = caller_connection(caller);
        const char *command = asked->chain[0];
        struct safe_path path;
        int r;

        /* sshd checks its own command so, which is this program, and not what stands after "--". */
        if (!safe_path(command, &path)) {
                event_failure(asked->user, who, "%.400s: not run: %.400s: %s", command, path.at, safe_path_text(&path));
                _exit(EXIT_FAILURE);
        }
        r = asked->chain_user ? identity_become(asked->chain_user) : 0;
        if (r < 0) {
                event_failure(
                        asked->user, who,
                        "%.400s: not run: cannot become %.300s: %s; set AuthorizedKeysCommandUser to root or that user",
                        command, asked->chain_user, strerror(-r));
                _exit(EXIT_FAILURE);
        }
        debug_line("other command: %s, executed as user id %u", path.program, geteuid());
        /* The path that was checked: a symlink could have another target by now. */
        (void)execv(path.program, asked->chain);
        event_failure(asked->user, who, "%.400s: cannot be executed: %s", command, strerror(errno));
        _exit(127);
}

/* Reads until all writers have closed the pipe. -ETIMEDOUT at the deadline, -EMSGSIZE for more than a line can be. */
static int read_until_eof(int fd, int64_t deadline_ns, char line[static LOOKUP_LINE_MAX], size_t *ret_length) {
        int64_t end_ns = instant_now().boot_ns + deadline_ns;
        size_t used = 0;

        for (;;) {
                struct pollfd wait = {.fd = fd, .events = POLLIN};
                int64_t left_ns = end_ns - instant_now().boot_ns;
                ssize_t n;

                if (left_ns <= 0)
                        return -ETIMEDOUT;
                if (used == LOOKUP_LINE_MAX)
                        return -EMSGSIZE;
                if (poll(&wait, 1, (int)(left_ns / 1000000) + 1) < 0 && errno != EINTR)
                        return -errno;
                if (wait.revents == 0)
                        continue;
                n = read(fd, line + used, LOOKUP_LINE_MAX - used);
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        *ret_length = used;
        return 0;
}

/*
 * Starts the helper. `pipe_fd`, the writing end, becomes its standard output; for a listing, which a person reads
 * together with that of the other command, it is only kept open, so that the pipe's end still shows when the helper is
 * done.
 */
static int start(const struct arguments *asked, const char *helper, const struct caller *caller, int pipe_fd,
                 pid_t *ret) {
        static char connection[] = "--connection", expiry_time[] = "--expiry-time", verbose[] = "--verbose",
                    runtime_dir[] = "--runtime-dir";
        const char *const words[] = {asked->user, asked->fingerprint, asked->type, asked->key_text};
        char caller_text[CALLER_TEXT_MAX], *argv[16];
        posix_spawn_file_actions_t actions;
        size_t n = 0;
        int r;

        caller_to_text(caller, caller_text);
        argv[n++] = (char *)(uintptr_t)helper;
        argv[n++] = connection;
        argv[n++] = caller_text;
        argv[n++] = runtime_dir;
        argv[n++] = (char *)(uintptr_t)asked->runtime_dir;
        if (asked->expiry_time)
                argv[n++] = expiry_time;
        if (asked->verbose)
                argv[n++] = verbose;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && words[i]; i++)
                argv[n++] = (char *)(uintptr_t)words[i];
        argv[n] = NULL;

        r = posix_spawn_file_actions_init(&actions);
        if (r == 0) {
                /* To the same number it clears close-on-exec. */
                r = posix_spawn_file_actions_adddup2(&actions, pipe_fd, asked->fingerprint ? STDOUT_FILENO : pipe_fd);
                if (r == 0)
                        r = posix_spawn(ret, helper, &actions, NULL, argv, environ);
                (void)posix_spawn_file_actions_destroy(&actions);
        }
        return -r;
}

_Noreturn void chain_run(const struct arguments *asked, const char *helper, const struct caller *caller,
                         int64_t deadline_ns) {
        char line[LOOKUP_LINE_MAX];
        size_t length = 0;
        int ends[2], r;
        pid_t child;

        if (pipe2(ends, O_CLOEXEC) < 0)
                chain_other(asked, caller);
        r = start(asked, helper, caller, ends[1], &child);
        (void)close(ends[1]);
        if (r == 0) {
                bool whole;

                r = read_until_eof(ends[0], deadline_ns, line, &length);
                (void)kill(child, SIGKILL);
                (void)waitpid(child, NULL, 0);
                if (r == -ETIMEDOUT)
                        event_failure(asked->user, caller_connection(caller),
                                      "exc-authorized-keys took too long, so the other command alone is asked; check "
                                      "this machine's load and disks");
                whole = r == 0 && length > 0 && line[length - 1] == '\n';
                debug_line("exc-authorized-keys: %s", whole ? "a line for the key" : "no line for the key");
                if (whole && write(STDOUT_FILENO, line, length) == (ssize_t)length)
                        _exit(EXIT_SUCCESS);
        } else
                debug_line("exc-authorized-keys: cannot be run: %s", strerror(-r));
        (void)close(ends[0]);
        chain_other(asked, caller);
}
