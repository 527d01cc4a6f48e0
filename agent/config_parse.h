/* SPDX-License-Identifier: Apache-2.0 */
/* The text of one configuration file: sections, keys and values (exc-instance-connect.conf(5)). */
#ifndef EXC_CONFIG_PARSE_H
#define EXC_CONFIG_PARSE_H

#include <limits.h>
#include <stddef.h>

#include "agent/config.h"

/* One config_load() call, with the file and line that messages are about. */
struct config_load {
        struct config *config;
        config_warning warning; /* NULL: warnings are dropped */
        void *context;

        char file[PATH_MAX];
        unsigned line; /* from 1; 0: the file as a whole */

        /* Where DefaultTtl was set last; "": nowhere. MaxTtl may come in a later file, so it is compared at the end. */
        char default_ttl_file[PATH_MAX];
        unsigned default_ttl_line;
};

/*
 * Adds the values in `text` to the configuration. `text` is changed, and text[n] must be writable. 0, or -EINVAL after
 * config_fail().
 */
int config_parse(struct config_load *load, char *text, size_t n);

/* Sets the configuration's error: "FILE:LINE: " and the formatted text, in printable ASCII. Returns -EINVAL. */
int config_fail(struct config_load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
