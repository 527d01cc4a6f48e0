/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands print. Nothing gets to the terminal but through wire/terminal.h, or as ASCII JSON. */
#ifndef EXC_OUTPUT_H
#define EXC_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { DURATION_MAX = 64 };

enum output_style { OUTPUT_PLAIN, OUTPUT_GOOD, OUTPUT_WARNING, OUTPUT_BAD, OUTPUT_HEADING };

/* One line on standard error, with the program's name before it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * What a slow command is doing: a line on standard error, written over by the next one; nothing where that is no terminal.
 * progress_end() removes it, and comes before anything else is printed.
 */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_end(void);

/* One line of JSON on standard output. EXIT_DONE, or EXIT_OWN_FAILURE without memory. */
int print_json(const json_t *value);

/* The same for a new reference, which it drops; NULL, as json_pack(3) returns it, is no memory. */
int print_json_new(json_t *value);

/* print_json() in several lines, indented for people. */
int print_json_lines(const json_t *value);

/* "Key:           value", in a column. */
void print_field(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, not on standard output. */
void print_field_to(FILE *to, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As print_field_to(); on a terminal in colour, and wrapped. */
void print_state(FILE *to, enum output_style style, const char *name, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Columns of a terminal; 0 where `to` is none, or TERM is unset or dumb, or the terminal does not know. */
size_t output_width(FILE *to);

/* Blanks up to `width` columns follow. In colour on a terminal, unless TERM is unset or dumb, or NO_COLOR is set. */
void print_styled(FILE *to, enum output_style style, const char *text, size_t width);

/*
 * A text that begins at `column`, where `used` columns of the line are printed. Where output_width() is known, it continues
 * there on the next lines; or at column `narrow` where the rest of the width is less than a word, or less than 30 columns,
 * when it also begins there unless it fits.
 */
void print_wrapped(FILE *to, size_t used, size_t column, size_t narrow, const char *text);

/* "Connections", in such a column: the limit of a push, 0 for any number; negative: the default, 1. */
void print_connections(FILE *to, int n);

/* "Clock", in such a column: a guest's wall clock, and whether pushes may be timed by it. */
void print_clock(FILE *to, int64_t unix_s, bool synchronized);

/* "59 s", "4 min 10 s", "1 h 30 min". */
void duration_text(int64_t seconds, char ret[static DURATION_MAX]);

/* "?string" of an answer: null for "". A new reference. */
json_t *text_or_null(const char *text);

/* A string of an object, or `otherwise` where it is missing or null. Other types are not asked about here. */
const char *text_or(const json_t *object, const char *name, const char *otherwise);

#endif
