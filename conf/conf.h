/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files of one section: "[Section]", then Key=value lines, by a table of keys.
 *
 * 1. Lists are separated by blanks and add up, and an item that has a blank is in double quotes; of other keys the last
 *    value counts. An indented line continues a list. A comment has a line of its own and begins with # or ;.
 * 2. An empty file, or a link to /dev/null, adds nothing.
 * 3. An unknown key or section is a warning. Everything else that is invalid is an error: an ignored line could be the
 *    one that denies something.
 * 4. Files and directories must be owned by root, and writable by nobody else.
 *
 * The caller walks the files: conf_open_dir(), conf_list(), conf_load_file(). Each of these returns -EINVAL with the
 * cause in `error`, as "FILE:LINE: cause; next step".
 */
#ifndef EXC_CONF_H
#define EXC_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf_files.h"
#include "conf/strv.h"

enum {
        CONF_FILE_MAX = 64 * 1024, /* bytes of one file */
        CONF_ERROR_MAX = 512,      /* bytes, with the NUL */
};

struct conf_load;

struct conf_key {
        const char *name;
        /* Parses `value` into `target`. Returns the number of list items, which may be 0, or -EINVAL (conf_fail()). */
        int (*set)(struct conf_load *load, const struct conf_key *key, char *value, void *target);
        size_t offset; /* of `target` in the struct */
        bool list;
        uint32_t min, max; /* of conf_set_number() */
        const char *unit;  /* of a number, with a blank before it; "" */
};

/* Called for each line that is ignored. `text` is printable ASCII and names the key or section; `file` is a path. */
typedef void (*conf_warning)(void *context, const char *file, unsigned line, const char *text);

/* One reading of a configuration, with the file and line that messages are about. */
struct conf_load {
        const char *section;
        const struct conf_key *keys; /* a key without name ends them */
        void *target;                /* the struct that the keys' offsets are in */
        const char *reader;          /* "the agent's user", for messages */
        const char *advice;          /* for a file that is too large: "split it into files in agent.conf.d" */
        conf_warning warning;        /* NULL: warnings are dropped */
        void *context;
        struct conf_files *files; /* each path that is read is added; NULL: none is */

        char file[PATH_MAX];
        unsigned line;              /* from 1; 0: the file as a whole */
        char error[CONF_ERROR_MAX]; /* printable ASCII; "": none */
};

/* Sets the error: "FILE:LINE: " and the formatted text. Returns -EINVAL. */
int conf_fail(struct conf_load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Messages are about this path from now on; without `name` it is `dir` itself. */
int conf_begin_path(struct conf_load *load, const char *dir, const char *name);

/* Opens the directory `name` in `dir` (open as `dir_fd`), or `dir` itself where `name` is NULL. 1: it is missing. */
int conf_open_dir(struct conf_load *load, int dir_fd, const char *dir, const char *name, int *ret);

/* The names in the directory that conf_open_dir() opened last, in byte order. The caller clears `ret`. */
int conf_list(struct conf_load *load, int fd, const char *suffix, size_t most, struct strv *ret);

/* Reads `name` in `dir` into the target. A missing file is an error: see conf_is_missing(). */
int conf_load_file(struct conf_load *load, int dir_fd, const char *dir, const char *name);

/* A dangling link is not missing: a file was meant to be there. */
bool conf_is_missing(int dir_fd, const char *name);

/*
 * Adds the values in `text` to the target. `text` is changed, and text[n] must be writable. 0, or -EINVAL after
 * conf_fail().
 */
int conf_parse(struct conf_load *load, char *text, size_t n);

/* For tables: a decimal uint32_t within the key's bounds. */
int conf_set_number(struct conf_load *load, const struct conf_key *key, char *value, void *target);

/* For tables: "yes" or "no", into a bool. */
int conf_set_boolean(struct conf_load *load, const struct conf_key *key, char *value, void *target);

/* For lists: adds the words of `value` to a struct strv. `check` returns 0, or -EINVAL after conf_fail(). */
int conf_set_list(struct conf_load *load, const struct conf_key *key, char *value, struct strv *list,
                  int (*check)(struct conf_load *load, const struct conf_key *key, const char *word));

#endif
