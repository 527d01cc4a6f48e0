/* SPDX-License-Identifier: Apache-2.0 */
/* exc-compute-admin(8): what the control plane knows, changed on its own machine. */
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/api/config.h"

static const struct cli_command *const commands[] = {
        &init_command,           &account_add_command,     &account_list_command,
        &account_delete_command, &token_create_command,    &token_list_command,
        &token_delete_command,   &policy_put_command,      &policy_get_command,
        &policy_list_command,    &policy_delete_command,   &policy_attach_command,
        &policy_detach_command,  &instance_put_command,    &instance_get_command,
        &instance_list_command,  &instance_delete_command, &host_keys_command,
        &audit_verify_command,
};

static const struct cli_option global[] = {
        {.name = "json",
         .take = cli_take_flag,
         .offset = offsetof(struct options, json),
         .help = "print lines of JSON"},
        {.name = "database",
         .value = "PATH",
         .take = cli_take_text,
         .offset = offsetof(struct options, database),
         .help = "not that of " API_CONFIG_FILE},
        {.name = "user",
         .value = "NAME",
         .take = cli_take_text,
         .offset = offsetof(struct options, user),
         .help = "root becomes this user, not " COMPUTE_USER},
        {.name = NULL},
};

static const struct cli cli = {
        .program = "exc-compute-admin",
        .about = "Accounts, tokens, policies and instances of the control plane, on its own machine.",
        .manual = "exc-compute-admin(8)",
        .commands = commands,
        .n_commands = sizeof(commands) / sizeof(commands[0]),
        .global = global,
};

int main(int argc, char **argv) {
        static struct options options = {.user = COMPUTE_USER};

        change_begin();
        return cli_main(&cli, argc, argv, &options);
}
