/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/journal.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/lifetime.h"

void journal_note(int priority, const char *format, ...) {
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        for (char *at = text; *at; at++)
                if (*at < ' ' || *at > '~')
                        *at = '?';
        (void)fprintf(stderr, "<%d>%s\n", priority, text);
}

int64_t monotonic_ns(void) {
        return clock_ns(CLOCK_MONOTONIC);
}
