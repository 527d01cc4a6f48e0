/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a program that systemd or udev starts: options by a table, and no arguments. --help and --version are
 * known to each. Commands for people have cli/options.h.
 */
#ifndef EXC_SERVICE_OPTIONS_H
#define EXC_SERVICE_OPTIONS_H

#include <stdbool.h>

/* The exit status of such programs beside 0 and 1, as in the LSB and systemd.exec(5). */
enum {
        SERVICE_INVALID_ARGUMENT = 2,
        SERVICE_NOT_CONFIGURED = 6, /* also: no socket. The units do not start the program again then */
};

enum { SERVICE_OPTIONS_MAX = 12 }; /* rows, without the last */

struct service_option {
        const char *name;                             /* NULL ends a table */
        bool *flag;                                   /* set where the option is there; NULL: it takes a value */
        bool (*take)(const char *text, void *member); /* false: `text` is not what is expected */
        void *member;
        const char *expected; /* for people */
};

/* For tables: const char *, of the command line's memory. */
bool service_take_text(const char *text, void *member);

/*
 * -1: the program goes on. Otherwise its exit status, after --help (which prints `usage`), --version or a message on standard
 * error.
 */
int service_options_parse(const char *program, const char *usage, const struct service_option *table, int argc,
                          char *argv[]);

#endif
