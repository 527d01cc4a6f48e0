/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authkeys-helper/identity.h"
#include "authkeys-helper/lookup.h"
#include "common/lifetime.h"
#include "common/safe_path.h"

/* Later than the alarm of our own part, which ends a slow one by itself. */
#define DEADLINE_NS (5 * NS_PER_S / 2)

_Noreturn void chain_other(const struct arguments *asked) {
        struct safe_path path;
        int r;

        /* sshd checks its own command so, which is this program, and not what stands after "--". */
        if (!safe_path(asked->chain[0], &path)) {
                (void)dprintf(STDERR_FILENO, "exc-authorized-keys: %s: not run: %s: %s\n", asked->chain[0], path.at,
                              safe_path_text(&path));
                _exit(EXIT_FAILURE);
        }
        r = asked->chain_user ? identity_become(asked->chain_user) : 0;
        if (r < 0) {
                (void)dprintf(
                        STDERR_FILENO,
                        "exc-authorized-keys: %s is not run: cannot become %s: %s; AuthorizedKeysCommandUser must be "
                        "root or that user\n",
                        asked->chain[0], asked->chain_user, strerror(-r));
                _exit(EXIT_FAILURE);
        }
        /* The path that was checked: a symlink could have another target by now. */
        (void)execv(path.program, asked->chain);
        (void)dprintf(STDERR_FILENO, "exc-authorized-keys: %s cannot be run: %s\n", asked->chain[0], strerror(errno));
        _exit(127);
}

/* Reads until the other end is closed by all who hold it. False at the deadline, or when there is more than one line's worth. */
static bool read_until_eof(int fd, char line[static LOOKUP_LINE_MAX], size_t *ret_length) {
        int64_t end_ns = instant_now().boot_ns + DEADLINE_NS;
        size_t used = 0;

        for (;;) {
                struct pollfd wait = {.fd = fd, .events = POLLIN};
                int64_t left_ns = end_ns - instant_now().boot_ns;
                ssize_t n;

                if (left_ns <= 0 || used == LOOKUP_LINE_MAX || poll(&wait, 1, (int)(left_ns / 1000000) + 1) < 0)
                        return false;
                if (wait.revents == 0)
                        continue;
                n = read(fd, line + used, LOOKUP_LINE_MAX - used);
                if (n < 0)
                        return false;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        *ret_length = used;
        return true;
}

_Noreturn void chain_run(const struct arguments *asked, void (*own)(void *context, int out_fd), void *context) {
        char line[LOOKUP_LINE_MAX];
        size_t length = 0;
        int ends[2];
        pid_t child;

        if (pipe2(ends, O_CLOEXEC) < 0)
                chain_other(asked);
        child = fork();
        if (child == 0) {
                (void)close(ends[0]);
                /* A listing is for a person, who wants to see the other command's as well: it needs no buffer. */
                own(context, asked->fingerprint ? ends[1] : STDOUT_FILENO);
                _exit(EXIT_SUCCESS);
        }
        (void)close(ends[1]);
        if (child > 0) {
                bool whole = read_until_eof(ends[0], line, &length);

                (void)kill(child, SIGKILL);
                (void)waitpid(child, NULL, 0);
                if (whole && length > 0 && line[length - 1] == '\n' &&
                    write(STDOUT_FILENO, line, length) == (ssize_t)length)
                        _exit(EXIT_SUCCESS);
        }
        (void)close(ends[0]);
        chain_other(asked);
}
