/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "wire/refusal.h"
#include "wire/terminal.h"

enum {
        LINE_MAX_BYTES = 4096,
        FIELD_WIDTH = 14,
        NARROW_FIELD = 4,
        TEXT_LEAST = 30, /* columns */
};

/* One that takes control sequences. */
static bool is_terminal(FILE *to) {
        const char *term = getenv("TERM");

        return term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(to));
}

size_t output_width(FILE *to) {
        struct winsize size;

        return is_terminal(to) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* See https://no-color.org. */
static bool takes_colour(FILE *to) {
        const char *no_colour = getenv("NO_COLOR");

        return (!no_colour || !*no_colour) && is_terminal(to);
}

static void style_begin(FILE *to, enum output_style style) {
        static const char *const sequences[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[1m"};

        if (takes_colour(to))
                (void)fputs(sequences[style], to);
}

static void style_end(FILE *to, enum output_style style) {
        if (style != OUTPUT_PLAIN && takes_colour(to))
                (void)fputs("\033[0m", to);
}

void print_styled(FILE *to, enum output_style style, const char *text, size_t width) {
        size_t used = terminal_width(text);

        style_begin(to, style);
        terminal_print(to, text);
        style_end(to, style);
        if (used < width)
                (void)fprintf(to, "%*s", (int)(width - used), "");
}

/* Columns of the longest word, or TEXT_LEAST. */
static size_t columns_needed(const char *text) {
        size_t longest = TEXT_LEAST;

        while (*text) {
                size_t n = strcspn(text, " "), columns = terminal_width_bytes(text, n);

                longest = columns > longest ? columns : longest;
                text += n;
                text += strspn(text, " ");
        }
        return longest;
}

void print_wrapped(FILE *to, size_t used, size_t column, size_t narrow, const char *text) {
        size_t width = output_width(to), blanks = column > used ? column - used : 0, indent, n;

        if (width == 0) {
                (void)fprintf(to, "%*s", (int)blanks, "");
                terminal_print(to, text);
                return;
        }
        indent = width >= column + columns_needed(text) ? column : narrow;
        if (width < column + TEXT_LEAST && used > 0 && used + blanks + terminal_width(text) > width) {
                (void)fputc('\n', to);
                used = 0;
                blanks = indent;
        }
        for (; *text; text += n) {
                size_t columns;

                n = strcspn(text, " ");
                columns = terminal_width_bytes(text, n);
                if (used > indent && used + blanks + columns > width) {
                        (void)fputc('\n', to);
                        used = 0;
                        blanks = indent;
                }
                (void)fprintf(to, "%*s", (int)blanks, "");
                terminal_print_bytes(to, text, n);
                used += blanks + columns;
                blanks = strspn(text + n, " ");
                n += blanks;
        }
}

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

static bool progress_shown;

void progress(const char *format, ...) {
        size_t width = output_width(stderr);
        char line[LINE_MAX_BYTES];
        va_list arguments;

        if (!is_terminal(stderr))
                return;
        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        if (width > 0 && width < sizeof(line))
                line[width - 1] = '\0';
        (void)fputs("\r\033[K", stderr);
        terminal_print(stderr, line);
        progress_shown = true;
}

void progress_end(void) {
        if (progress_shown)
                (void)fputs("\r\033[K", stderr);
        progress_shown = false;
}

static int print_json_as(const json_t *value, size_t flags) {
        char *text = json_dumps(value, flags | JSON_ENSURE_ASCII);

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

int print_json(const json_t *value) {
        return print_json_as(value, JSON_COMPACT);
}

int print_json_new(json_t *value) {
        int status = print_json(value);

        json_decref(value);
        return status;
}

int print_json_lines(const json_t *value) {
        return print_json_as(value, JSON_INDENT(4));
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

void print_state(FILE *to, enum output_style style, const char *name, const char *format, ...) {
        char line[LINE_MAX_BYTES];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        (void)fprintf(to, "%s:", name);
        style_begin(to, style);
        print_wrapped(to, terminal_width(name) + 1, FIELD_WIDTH + 1, NARROW_FIELD, line);
        style_end(to, style);
        (void)fputc('\n', to);
}

void print_connections(FILE *to, int n) {
        if (n == 0)
                print_field_to(to, "Connections", "any number until then");
        else if (n < 0 || n == 1)
                print_state(to, OUTPUT_PLAIN, "Connections",
                            "1, the first that offers the key; --connections N, or 0, for clients that open several");
        else
                print_field_to(to, "Connections", "%d, the first that offer the key", n);
}

void print_clock(FILE *to, int64_t unix_s, bool synchronized) {
        time_t t = (time_t)unix_s;
        char text[64];
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
                text[0] = '\0';
        print_state(to, synchronized ? OUTPUT_PLAIN : OUTPUT_WARNING, "Clock", "%s%s", text,
                    synchronized ? ", synchronized" : ", not synchronized: pushes that are timed by it are refused");
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

json_t *text_or_null(const char *text) {
        return *text ? json_string(text) : json_null();
}
