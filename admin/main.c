/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect(8): what the administrator asks the agent of this machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "cli/output.h"
#include "wire/refusal.h"

static const struct command *const commands[] = {
        &push_command,   &list_command,    &revoke_command, &status_command,
        &enable_command, &disable_command, &doctor_command, &log_command,
};

static void print_help(void) {
        (void)puts("exc-instance-connect [OPTION…] COMMAND\n"
                   "\n"
                   "Short-lived SSH public keys of this machine.\n"
                   "\n"
                   "Commands:");
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                (void)printf("  %-15s %s\n", commands[i]->name, commands[i]->summary);
        (void)puts("\n"
                   "Options, before or after the command:\n"
                   "  --json          print the answer as one line of JSON\n"
                   "  --socket PATH   ask on this socket instead of " ADMIN_SOCKET "\n"
                   "  --help          print this, or after a command what it takes\n"
                   "  --version       print the version\n"
                   "\n"
                   "See exc-instance-connect(8).");
}

static const struct command *find_command(const char *name) {
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                if (strcmp(name, commands[i]->name) == 0)
                        return commands[i];
        return NULL;
}

static int run(const struct command *command, const struct options *options) {
        int foreign = options->given & ~(command->takes | OPTION_GLOBAL), missing = command->needs & ~options->given;

        if (foreign || missing) {
                if (foreign)
                        complain("%s takes no --%s", command->name, option_name(foreign));
                else
                        complain("%s needs --%s", command->name, option_name(missing));
                complain("see: exc-instance-connect %s --help", command->name);
                return EXIT_USAGE;
        }
        return command->run(options);
}

static int dispatch(int argc, char **argv) {
        const struct command *command = NULL;
        struct options options;
        int status = options_parse(argc, argv, &options);

        if (status != EXIT_DONE)
                return status;
        if (options.command) {
                command = find_command(options.command);
                if (!command) {
                        complain("%s: no such command", options.command);
                        complain("see: exc-instance-connect --help");
                        return EXIT_USAGE;
                }
        }
        if (options.given & OPTION_HELP) {
                if (command)
                        (void)fputs(command->help, stdout);
                else
                        print_help();
                return EXIT_DONE;
        }
        if (options.given & OPTION_VERSION) {
                (void)puts("exc-instance-connect " PACKAGE_VERSION);
                return EXIT_DONE;
        }
        if (!command) {
                complain("a command is missing");
                complain("see: exc-instance-connect --help");
                return EXIT_USAGE;
        }
        return run(command, &options);
}

int main(int argc, char **argv) {
        int status = dispatch(argc, argv);

        /* A refusal says more than a full disk. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_DONE) {
                complain("cannot write the answer: %s", strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        return status;
}
