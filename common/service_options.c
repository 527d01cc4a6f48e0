/* SPDX-License-Identifier: Apache-2.0 */
#include "common/service_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { HELP_ROW = SERVICE_OPTIONS_MAX, VERSION_ROW, TABLE_MAX }; /* behind the rows of the program */

bool service_take_text(const char *text, void *member) {
        *(const char **)member = text;
        return true;
}

/* For getopt_long(3): the value of an option is the number of its row. */
static void fill(const struct service_option *table, struct option ret[static TABLE_MAX + 1]) {
        int n = 0;

        for (; table[n].name && n < SERVICE_OPTIONS_MAX; n++)
                ret[n] = (struct option){table[n].name, table[n].flag ? no_argument : required_argument, NULL, n};
        ret[n] = (struct option){"help", no_argument, NULL, HELP_ROW};
        ret[n + 1] = (struct option){"version", no_argument, NULL, VERSION_ROW};
        ret[n + 2] = (struct option){NULL, 0, NULL, 0};
}

static bool take(const char *program, const struct service_option *option, const char *text) {
        if (option->flag)
                *option->flag = true;
        else if (!option->take(text, option->member)) {
                (void)fprintf(stderr, "%s: --%s: invalid value '%s': expected %s\n", program, option->name, text,
                              option->expected);
                return false;
        }
        return true;
}

int service_options_parse(const char *program, const char *usage, const struct service_option *table, int argc,
                          char *argv[]) {
        struct option known[TABLE_MAX + 1];

        fill(table, known);
        for (;;) {
                int row = getopt_long(argc, argv, "", known, NULL);

                if (row == HELP_ROW) {
                        (void)fputs(usage, stdout);
                        return EXIT_SUCCESS;
                }
                if (row == VERSION_ROW) {
                        (void)printf("%s " PACKAGE_VERSION "\n", program);
                        return EXIT_SUCCESS;
                }
                if (row == -1 && optind == argc)
                        return -1;
                if (row == -1)
                        (void)fprintf(stderr, "%s: %s: unexpected argument; see --help\n", program, argv[optind]);
                else if (row < 0 || row >= SERVICE_OPTIONS_MAX)
                        (void)fprintf(stderr, "%s: see --help\n", program);
                else if (take(program, table + row, optarg))
                        continue;
                return SERVICE_INVALID_ARGUMENT;
        }
}
