/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How systemd's unit files start a service: read by ourselves, so that it works where no systemd runs, as in an image that
 * is being built, and so that it is known which file says what. See systemd.unit(5), "Unit File Load Path", and
 * systemd.service(5), "Command Lines".
 */
#ifndef EXC_UNIT_H
#define EXC_UNIT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        UNIT_NAME_MAX = 256, /* with its NUL */
        UNIT_WORDS_MAX = 64,
        UNIT_NAMES_MAX = 64,
};

/* A word of a command line, after quotes, specifiers and variables. */
struct unit_word {
        char *text;
        size_t from, to; /* where it stands in `exec_start`; all words of one variable at the same place */
        char *variable;  /* that variable's name; NULL where the word stands in the line itself */
};

struct unit {
        char name[UNIT_NAME_MAX];
        char *exec_start;         /* what stands behind "ExecStart=", lines that are continued put together */
        char exec_file[PATH_MAX]; /* the file with that line */
        struct unit_word words[UNIT_WORDS_MAX]; /* the program, and its arguments */
        size_t n_words;
};

/*
 * The service `name`, or an instance of a template, if the first of its ExecStart lines runs `program` (or another path to
 * it). -ENOENT where there is no such unit, where it is masked, or runs something else; else negative errno: -E2BIG where
 * a line has more words than fit, -EBADMSG where its quotes are not closed.
 */
int unit_read(const char *name, const char *program, struct unit *ret);
void unit_clear(struct unit *unit);

/* The file that gives `variable` its value for this unit; "" where none does. */
int unit_variable_file(const char *name, const char *variable, char ret[static PATH_MAX]);

#endif
