/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of exc-instance-connect, and what a command line says. */
#ifndef EXC_COMMAND_H
#define EXC_COMMAND_H

#include <stddef.h>

#include "cli/key_file.h"
#include "common/grant.h"

#define ADMIN_SOCKET "/run/exc-instance-connect/admin.sock"

/* Bits above those of a character, so that getopt_long(3) can return them. */
enum option_bit {
        OPTION_HELP = 1 << 8,
        OPTION_VERSION = 1 << 9,
        OPTION_JSON = 1 << 10,
        OPTION_SOCKET = 1 << 11,
        OPTION_GLOBAL = OPTION_HELP | OPTION_VERSION | OPTION_JSON | OPTION_SOCKET, /* every subcommand takes them */

        OPTION_USER = 1 << 12,
        OPTION_KEY = 1 << 13,
        OPTION_TTL = 1 << 14,
        OPTION_CONNECTIONS = 1 << 15,
        OPTION_SOURCE = 1 << 16,
        OPTION_RESTRICT = 1 << 17,
        OPTION_PRINCIPAL = 1 << 18,
        OPTION_REQUEST_ID = 1 << 19,
        OPTION_FINGERPRINT = 1 << 20,
        OPTION_ALL = 1 << 21,
        OPTION_DRY_RUN = 1 << 22,
        OPTION_SINCE = 1 << 23,
        OPTION_FOLLOW = 1 << 24,
};

struct options {
        int given;           /* enum option_bit */
        const char *command; /* NULL: none */
        const char *socket;
        const char *user; /* this and the rest: NULL or 0 where it is not given */
        const char *fingerprint;
        const char *principal;
        const char *request_id;
        const char *since;
        int ttl; /* seconds */
        int connections;
        const char *key_files[KEY_LIST_MAX];
        size_t n_key_files;
        const char *sources[GRANT_SOURCES_MAX];
        size_t n_sources;
};

struct command {
        const char *name;
        const char *summary;
        const char *help;
        int takes;                                 /* enum option_bit */
        int needs;                                 /* of these, without which it cannot run */
        int (*run)(const struct options *options); /* an exit status (wire/refusal.h) */
};

extern const struct command push_command;
extern const struct command list_command;
extern const struct command revoke_command;
extern const struct command status_command;
extern const struct command enable_command;
extern const struct command disable_command;
extern const struct command doctor_command;
extern const struct command log_command;

/* EXIT_DONE, or EXIT_USAGE when it has complained. Values are valid UTF-8 and within their ranges. */
int options_parse(int argc, char **argv, struct options *ret);

/* "user" and so on, for one of the bits. */
const char *option_name(int bits);

#endif
