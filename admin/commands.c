/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands, and the options that they share. */
#include <string.h>

#include "admin/command.h"

enum { USER_MAX = 256 }; /* bytes */

bool admin_take_user(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        return *text && strlen(text) <= USER_MAX;
}

#define JSON_ROW                                                                                                       \
        {.name = "json",                                                                                               \
         .take = cli_take_flag,                                                                                        \
         .offset = offsetof(struct options, json),                                                                     \
         .help = "print the answer as one line of JSON"}

const struct cli_option admin_json_options[] = {JSON_ROW, {.name = NULL}};

const struct cli_option admin_agent_options[] = {
        JSON_ROW,
        {.name = "socket",
         .value = "PATH",
         .take = cli_take_text,
         .offset = offsetof(struct options, socket),
         .completes = "files",
         .help = "ask on this socket instead of\n" ADMIN_SOCKET},
        {.name = NULL},
};

const struct cli_option admin_dry_run_options[] = {
        {.name = "dry-run",
         .take = cli_take_flag,
         .offset = offsetof(struct options, dry_run),
         .help = "only show what would change"},
        {.name = NULL},
};

static const struct cli_option global[] = {CLI_VERBOSE_ROW, {.name = NULL}};

static const struct cli_command *const commands[] = {
        &push_command,
        &list_command,
        &revoke_command,
        &status_command,
        &enable_command,
        &disable_command,
        &doctor_command,
        &log_command,
        &trust_add_command,
        &trust_list_command,
        &trust_remove_command,
        &instance_id_set_command,
        &instance_id_show_command,
};

const struct cli admin_cli = {
        .program = "exc-instance-connect",
        .about = "Short-lived SSH public keys of this machine.",
        .manual = "exc-instance-connect(8)",
        .commands = commands,
        .n_commands = sizeof(commands) / sizeof(commands[0]),
        .global = global,
};
