/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands, and the options that they share. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "exc/command.h"
#include "wire/name.h"

/* -o json is the one there is; -o text says that there is none. */
static bool take_output(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(bool *)member = strcmp(text, "json") == 0;
        return *(bool *)member || strcmp(text, "text") == 0;
}

bool exc_take_user(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        return name_user_valid(text);
}

const struct cli_option exc_global_options[] = {
        {.name = "endpoint",
         .value = "URL",
         .take = cli_take_text,
         .offset = offsetof(struct options, endpoint),
         .help = "where the API is: https://HOST, or unix:/PATH"},
        {.name = "ca-file",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, ca_file),
         .flags = CLI_BYTES,
         .completes = "files",
         .help = "certificates to trust, in place of the system's"},
        {.name = "no-proxy",
         .take = cli_take_flag,
         .offset = offsetof(struct options, no_proxy),
         .help = "go without the proxy of the environment"},
        {.name = "output",
         .letter = 'o',
         .value = "FORMAT",
         .take = take_output,
         .offset = offsetof(struct options, json),
         .expected = "text or json",
         .completes = "json text",
         .help = "json: one line of JSON on standard output"},
        {.name = "verbose",
         .letter = 'v',
         .take = cli_take_flag,
         .offset = offsetof(struct options, verbose),
         .help = "say each step on standard error"},
        {.name = NULL},
};

#define VM_ROW                                                                                                         \
        {.name = "vm-id",                                                                                              \
         .value = "VM",                                                                                                \
         .take = cli_take_text,                                                                                        \
         .offset = offsetof(struct options, vm),                                                                       \
         .completes = "vm",                                                                                            \
         .help = "the VM's id or name, as the argument"}

const struct cli_option exc_vm_options[] = {
        VM_ROW,
        {.name = "user",
         .value = "USER",
         .take = exc_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes that does not begin with '-'",
         .help = "login name; default: EXC_USER, exc config set user, or the VM's"},
        {.name = NULL},
};

const struct cli_option exc_vm_id_options[] = {VM_ROW, {.name = NULL}};

void verbose(const struct options *options, const char *format, ...) {
        char line[2048];
        va_list arguments;

        if (!options->verbose)
                return;
        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        complain("%s", line);
}

static int help(const struct cli_line *line, const void *context) {
        (void)context;
        if (cli_print_help(&exc_cli, line->arguments, line->n_arguments))
                return EXIT_DONE;
        return cli_usage(line, "%s: no such command", line->arguments[0]);
}

const struct cli_command help_command = {
        .words = "help",
        .arguments = "[COMMAND]",
        .summary = "describe a command",
        .most = CLI_ARGUMENTS_MAX - 1,
        .run = help,
};

static const struct cli_command *const commands[] = {
        &login_command,          &config_get_command,     &config_set_command,    &config_unset_command,
        &config_path_command,    &connect_command,        &exec_command,          &scp_command,
        &ssh_config_command,     &proxy_command,          &dial_command,          &send_public_key_command,
        &revoke_command,         &instance_list_command,  &instance_show_command, &accept_host_keys_command,
        &keypair_create_command, &keypair_import_command, &keypair_list_command,  &keypair_show_command,
        &keypair_delete_command, &account_create_command, &account_list_command,  &account_show_command,
        &account_delete_command, &token_create_command,   &token_list_command,    &token_show_command,
        &token_delete_command,   &policy_put_command,     &policy_list_command,   &policy_show_command,
        &policy_delete_command,  &policy_attach_command,  &policy_detach_command, &completion_command,
        &complete_command,       &help_command,
};

const struct cli exc_cli = {
        .program = "exc",
        .about = "Virtual machines: who may connect, and connecting.",
        .manual = "exc(1)",
        .commands = commands,
        .n_commands = sizeof(commands) / sizeof(commands[0]),
        .global = exc_global_options,
};
