/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long commands take, by turns: spawn ROUNDS TIMES -- COMMAND... [-- COMMAND...]...
 *
 * Each round runs every command TIMES times, one after the other, so that what else the machine does meets them all
 * alike. Prints a line for each round: the median of each command in nanoseconds, from posix_spawn() to the end of waitpid().
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { COMMANDS_MAX = 8 };

extern char **environ;

static int64_t run(char *const command[], const posix_spawn_file_actions_t *to_nowhere) {
        int64_t start = now_ns();
        int status, r;
        pid_t child;

        r = posix_spawn(&child, command[0], to_nowhere, NULL, command, environ);
        if (r != 0) {
                errno = r;
                die("%s does not run", command[0]);
        }
        if (waitpid(child, &status, 0) != child || status != 0)
                die("%s ended with %#x", command[0], (unsigned)status);
        return now_ns() - start;
}

int main(int argc, char *argv[]) {
        posix_spawn_file_actions_t to_nowhere;
        char **commands[COMMANDS_MAX];
        size_t rounds, times, n = 0;
        int64_t *ns[COMMANDS_MAX];

        if (argc < 5)
                die("usage: spawn ROUNDS TIMES -- COMMAND... [-- COMMAND...]...");
        rounds = count_argument(argv[1]);
        times = count_argument(argv[2]);
        for (int i = 3; i < argc; i++)
                if (strcmp(argv[i], "--") == 0) {
                        argv[i] = NULL;
                        if (n == COMMANDS_MAX || i + 1 == argc)
                                die("1 to %d commands are expected", COMMANDS_MAX);
                        ns[n] = calloc(times, sizeof(*ns[n]));
                        if (!ns[n])
                                die("no memory");
                        commands[n++] = argv + i + 1;
                }
        if (posix_spawn_file_actions_init(&to_nowhere) != 0 ||
            posix_spawn_file_actions_addopen(&to_nowhere, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
            posix_spawn_file_actions_addopen(&to_nowhere, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
                die("no memory");

        for (size_t i = 0; i < n; i++)
                (void)run(commands[i], &to_nowhere);
        for (size_t round = 0; round < rounds; round++) {
                for (size_t t = 0; t < times; t++)
                        for (size_t i = 0; i < n; i++)
                                ns[i][t] = run(commands[i], &to_nowhere);
                for (size_t i = 0; i < n; i++)
                        printf("%lld%c", (long long)median_ns(ns[i], times), i + 1 < n ? ' ' : '\n');
                (void)fflush(stdout);
        }
        (void)posix_spawn_file_actions_destroy(&to_nowhere);
        for (size_t i = 0; i < n; i++)
                free(ns[i]);
        return EXIT_SUCCESS;
}
