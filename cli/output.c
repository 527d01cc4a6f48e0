/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wire/refusal.h"
#include "wire/terminal.h"

enum { LINE_MAX_BYTES = 4096, FIELD_WIDTH = 14 };

__attribute__((format(printf, 2, 0))) static void print_line(FILE *to, const char *format, va_list arguments) {
        char line[LINE_MAX_BYTES];

        (void)vsnprintf(line, sizeof(line), format, arguments);
        terminal_print(to, line);
        (void)fputc('\n', to);
}

void complain(const char *format, ...) {
        va_list arguments;

        terminal_print(stderr, program_invocation_short_name);
        (void)fputs(": ", stderr);
        va_start(arguments, format);
        print_line(stderr, format, arguments);
        va_end(arguments);
}

/* One that takes control sequences. */
static bool is_terminal(FILE *to) {
        const char *term = getenv("TERM");

        return term && strcmp(term, "dumb") != 0 && isatty(fileno(to));
}

static bool progress_shown;

void progress(const char *format, ...) {
        char line[LINE_MAX_BYTES];
        va_list arguments;

        if (!is_terminal(stderr))
                return;
        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        (void)fputs("\r\033[K", stderr);
        terminal_print(stderr, line);
        progress_shown = true;
}

void progress_end(void) {
        if (progress_shown)
                (void)fputs("\r\033[K", stderr);
        progress_shown = false;
}

int print_json(const json_t *value) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);

        if (!text) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        /* The one control character that JSON lets stand in a string. */
        for (const char *at = text; *at; at++)
                if (*at == 0x7f)
                        (void)fputs("\\u007f", stdout);
                else
                        (void)fputc(*at, stdout);
        (void)fputc('\n', stdout);
        free(text);
        return EXIT_DONE;
}

__attribute__((format(printf, 3, 0))) static void print_named(FILE *to, const char *name, const char *format,
                                                              va_list arguments) {
        (void)fprintf(to, "%s:%*s", name, FIELD_WIDTH - (int)terminal_width(name), "");
        print_line(to, format, arguments);
}

void print_field(const char *name, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        print_named(stdout, name, format, arguments);
        va_end(arguments);
}

void print_field_to(FILE *to, const char *name, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        print_named(to, name, format, arguments);
        va_end(arguments);
}

void print_clock(FILE *to, int64_t unix_s, bool synchronized) {
        time_t t = (time_t)unix_s;
        char text[64];
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
                text[0] = '\0';
        print_field_to(to, "Clock", "%s%s", text,
                       synchronized ? ", synchronized" : ", not synchronized: pushes that are timed by it are refused");
}

void print_cell(const char *text, size_t width, bool last) {
        size_t used = terminal_width(text);

        terminal_print(stdout, text);
        if (!last && used < width)
                (void)printf("%*s", (int)(width - used), "");
}

void duration_text(int64_t seconds, char ret[static DURATION_MAX]) {
        int64_t large = seconds, small = 0;
        const char *large_unit = "s", *small_unit = "";

        if (seconds >= 3600) {
                large = seconds / 3600;
                small = seconds % 3600 / 60;
                large_unit = "h";
                small_unit = "min";
        } else if (seconds >= 60) {
                large = seconds / 60;
                small = seconds % 60;
                large_unit = "min";
                small_unit = "s";
        }
        if (small > 0)
                (void)snprintf(ret, DURATION_MAX, "%" PRId64 " %s %" PRId64 " %s", large, large_unit, small,
                               small_unit);
        else
                (void)snprintf(ret, DURATION_MAX, "%" PRId64 " %s", large, large_unit);
}

const char *text_or(const json_t *object, const char *name, const char *otherwise) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : otherwise;
}
