/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs, run for what they print: under a deadline, with nothing of ours but a path and a locale. */
#ifndef EXC_PROGRAM_H
#define EXC_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROGRAM_OUTPUT_MAX = 256 * 1024 }; /* bytes kept of each stream; the rest is read and dropped */

struct program_result {
        int status;      /* as waitpid(2) gives it; meaningless after a negative result */
        char *output;    /* what it wrote to standard output, ended by a NUL; never NULL after a result of 0 */
        char *complaint; /* the same for standard error */
};

/*
 * Runs `argv` (argv[0] is a path) with no input, PATH and LC_ALL=C as environment, default signals, descriptors above 2
 * closed, in / and in a process group of its own, and waits for its end. `user`: NULL, or a login name to become before
 * it is executed, with its groups (initgroups). Negative errno where it could not be run; -ETIMEDOUT after `timeout_ms`,
 * when the whole group has been killed: also when it ended, and something that it started keeps its output open. It is
 * killed when its caller ends.
 */
int program_run(char *const argv[], const char *user, int timeout_ms, struct program_result *ret);

/* Whether it exited with 0. */
bool program_succeeded(const struct program_result *result);

void program_result_clear(struct program_result *result);

#endif
