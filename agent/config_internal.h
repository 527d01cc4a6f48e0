/* SPDX-License-Identifier: Apache-2.0 */
/* What config.c (the files), config_text.c (what is in one) and config_fault.c (how a fault is told) share. */
#ifndef EXC_CONFIG_INTERNAL_H
#define EXC_CONFIG_INTERNAL_H

#include "agent/config.h"
#include "common/bytes.h"

#define MAIN_FILE "agent.conf"
#define DROPIN_FOLDER "agent.conf.d"
#define DROPIN_SUFFIX ".conf"

struct key;

/* One load, and in it the file and line at work. */
struct load {
        struct config *config;
        config_warning warning;
        void *context;
        char *default_ttl_file; /* where DefaultTtl was set, or NULL */
        unsigned default_ttl_line;

        const char *file;
        unsigned line;
        struct bytes left; /* of the file */
        struct bytes rest; /* of the line that libinih is given */
        bool section;      /* the line names a section */
        bool continued;    /* the line is indented */
        bool first;        /* the piece that libinih has is the line's first */
        bool glued;        /* it goes on in the middle of a word */
        bool glue_next;    /* so will the next one */
        bool unanswered;   /* libinih has a piece, and its handler has not been called */

        bool in_key;           /* a key has been named in this section */
        const struct key *key; /* the one that indented lines belong to; NULL: one that is passed over */
        unsigned empty_line;   /* where a list was begun that nothing has been put into yet, or 0 */
        struct writer value;
};

/* Makes the text the configuration's error, with `file` and `line` (unless that is 0) before it. Always -EINVAL. */
int config_fail(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));
void config_warn(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads the text of `load->file` into the configuration. Negative after config_fail. */
int config_parse(struct load *load, const uint8_t *text, size_t n);

#endif
