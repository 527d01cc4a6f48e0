/* SPDX-License-Identifier: Apache-2.0 */
/* exc-compute-admin(8): what the control plane knows, changed on its own machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/paths.h"
#include "cloud/api/config.h"
#include "wire/refusal.h"

static const struct command *const commands[] = {
        &init_command,           &account_add_command,     &account_list_command,
        &account_delete_command, &token_create_command,    &token_list_command,
        &token_delete_command,   &policy_put_command,      &policy_get_command,
        &policy_list_command,    &policy_delete_command,   &policy_attach_command,
        &policy_detach_command,  &instance_put_command,    &instance_get_command,
        &instance_list_command,  &instance_delete_command, &host_keys_command,
        &audit_verify_command,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* "policy put NAME FILE" */
static void usage(const struct command *command, char ret[static 64]) {
        (void)snprintf(ret, 64, "%s%s%s%s%s", command->name, command->verb ? " " : "",
                       command->verb ? command->verb : "", *command->arguments ? " " : "", command->arguments);
}

/* All commands, or those with a name. */
static void print_help(const char *name) {
        char line[64];

        (void)puts("exc-compute-admin [OPTION…] COMMAND\n"
                   "\n"
                   "Accounts, tokens, policies and instances of the control plane, on its own machine.\n"
                   "\n"
                   "Commands:");
        for (size_t i = 0; i < COMMANDS; i++) {
                if (name && strcmp(name, commands[i]->name) != 0)
                        continue;
                usage(commands[i], line);
                (void)printf("  %-29s %s\n", line, commands[i]->summary);
        }
        (void)puts("\n"
                   "Options, before or after the command:\n"
                   "  --json             print lines of JSON\n"
                   "  --database PATH    not that of " API_CONFIG_FILE "\n"
                   "  --user NAME        root becomes this user, not " COMPUTE_USER "\n"
                   "  --help             print this, or after a command its part\n"
                   "  --version          print the version\n"
                   "\n"
                   "Of account add:\n"
                   "  --policy NAME      attach this policy to it\n"
                   "Of init and token create:\n"
                   "  --expires-in TIME  90d, 12h, 30m or 600s; default 30d\n"
                   "Of instance put, --host is required; of instance list, --name alone:\n"
                   "  --host NAME  --name NAME  --default-user NAME  --public-ipv4 ADDRESS  --private-ipv4 ADDRESS\n"
                   "  --ipv6 ADDRESS  --port NUMBER  --keypair ACCOUNT/NAME  --tunnel\n"
                   "Of host-keys:\n"
                   "  --accept           keep the host keys that wait\n"
                   "Of audit verify, the first also of init:\n"
                   "  --audit DIRECTORY  --signer-log DIRECTORY  --no-signer-log\n"
                   "\n"
                   "See exc-compute-admin(8).");
}

static bool name_known(const char *name) {
        for (size_t i = 0; i < COMMANDS; i++)
                if (strcmp(name, commands[i]->name) == 0)
                        return true;
        return false;
}

/* NULL when it has complained. `ret_arguments`: the words behind the command's own. */
static const struct command *find_command(const struct options *options, size_t *ret_own_words) {
        const char *name = options->words[0], *verb = options->n_words > 1 ? options->words[1] : NULL;

        for (size_t i = 0; i < COMMANDS; i++) {
                const struct command *command = commands[i];

                if (strcmp(name, command->name) != 0)
                        continue;
                if (!command->verb || (verb && strcmp(verb, command->verb) == 0)) {
                        *ret_own_words = command->verb ? 2 : 1;
                        return command;
                }
        }
        if (!name_known(name))
                complain("%s: no such command", name);
        else if (verb)
                complain("%s %s: no such command", name, verb);
        else
                complain("%s: what to do is missing", name);
        return NULL;
}

static bool check_usage(const struct command *command, const struct options *options, size_t n_arguments) {
        int foreign = options->given & ~(command->takes | OPTION_GLOBAL), missing = command->needs & ~options->given;
        char line[64];

        usage(command, line);
        if (n_arguments < command->least || n_arguments > command->most)
                complain("expected: %s", line);
        else if (foreign)
                complain("%s takes no --%s", line, option_name(foreign));
        else if (missing)
                complain("%s needs --%s", line, option_name(missing));
        else
                return true;
        return false;
}

static int paths_and_run(const struct command *command, struct options *options, const char *const *arguments) {
        int used = command->takes & (OPTION_AUDIT | OPTION_SIGNER_LOG);
        int status = paths_find(options, command->no_database ? used : used | OPTION_DATABASE);

        change_begin();
        return status == EXIT_DONE ? command->run(options, arguments) : status;
}

static int run(struct options *options) {
        const char *arguments[WORDS_MAX + 1] = {NULL};
        const struct command *command = NULL;
        size_t own_words = 0, n_arguments;

        if (options->n_words == 0)
                complain("a command is missing");
        else
                command = find_command(options, &own_words);
        if (command) {
                n_arguments = options->n_words - own_words;
                if (check_usage(command, options, n_arguments)) {
                        memcpy(arguments, options->words + own_words, n_arguments * sizeof(arguments[0]));
                        return paths_and_run(command, options, arguments);
                }
        }
        complain("see: exc-compute-admin --help");
        return EXIT_USAGE;
}

static int dispatch(int argc, char **argv) {
        static struct options options;
        int status = options_parse(argc, argv, &options);

        if (status != EXIT_DONE)
                return status;
        if (options.given & OPTION_HELP) {
                print_help(options.n_words > 0 && name_known(options.words[0]) ? options.words[0] : NULL);
                return EXIT_DONE;
        }
        if (options.given & OPTION_VERSION) {
                (void)puts("exc-compute-admin " PACKAGE_VERSION);
                return EXIT_DONE;
        }
        return run(&options);
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
