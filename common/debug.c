/* SPDX-License-Identifier: Apache-2.0 */
#include "common/debug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *prefix; /* NULL: nothing is printed */

void debug_init(const char *program, bool verbose) {
        const char *value = getenv("EXC_DEBUG");

        prefix = verbose || (value && strcmp(value, "1") == 0) ? program : NULL;
}

void debug_line(const char *format, ...) {
        char line[1024];
        va_list arguments;

        if (!prefix)
                return;
        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        /* Names of peers and files must not reach a terminal as control sequences. */
        for (char *at = line; *at; at++)
                if (*at < ' ' || *at > '~')
                        *at = '?';
        (void)dprintf(STDERR_FILENO, "%s: %s\n", prefix, line);
}
