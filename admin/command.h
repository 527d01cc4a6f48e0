/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of exc-instance-connect, and what a command line says. */
#ifndef EXC_ADMIN_COMMAND_H
#define EXC_ADMIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/key_options.h"
#include "cli/options.h"

#define ADMIN_SOCKET "/run/exc-instance-connect/admin.sock"

/* NULL or 0 where an option is not given, unless it says otherwise. */
struct options {
        const char *socket; /* ADMIN_SOCKET */
        bool json;
        const char *user;
        const char *fingerprint;
        bool all;
        bool dry_run;

        /* push */
        struct key_options keys;
        int ttl; /* seconds */
        const char *principal;
        const char *request_id;

        /* doctor */
        bool pam;

        /* log */
        const char *since;
        bool follow;

        /* doctor */
        char from[64]; /* an address; "": not given */

        /* trust add */
        const char *name;
};

#define OPTIONS_INIT {.socket = ADMIN_SOCKET, .keys = {.connections = -1}}

extern const struct cli admin_cli;

/* --json alone. */
extern const struct cli_option admin_json_options[];

/* --json and --socket, for the tables of commands that ask the agent. */
extern const struct cli_option admin_agent_options[];

/* --dry-run, of enable and disable. */
extern const struct cli_option admin_dry_run_options[];

/* 1 to 256 bytes: const char *. */
bool admin_take_user(const struct cli_option *option, const char *text, void *member);

extern const struct cli_command push_command;
extern const struct cli_command list_command;
extern const struct cli_command revoke_command;
extern const struct cli_command status_command;
extern const struct cli_command enable_command;
extern const struct cli_command disable_command;
extern const struct cli_command doctor_command;
extern const struct cli_command log_command;
extern const struct cli_command trust_add_command;
extern const struct cli_command trust_list_command;
extern const struct cli_command trust_remove_command;
extern const struct cli_command instance_id_set_command;
extern const struct cli_command instance_id_show_command;

#endif
