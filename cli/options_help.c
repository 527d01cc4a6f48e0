/* SPDX-License-Identifier: Apache-2.0 */
/* --help, from the tables. */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "wire/terminal.h"

enum { OPTION_WIDTH = 26, TEXT_WIDTH = 80 - 2 - OPTION_WIDTH }; /* columns */

/* The bytes of `text` up to its first line's end, or up to the last blank that keeps it within TEXT_WIDTH. */
static size_t first_line(const char *text) {
        size_t end = strcspn(text, "\n"), fits = strcspn(text, " \n");

        for (size_t n = fits; n < end && terminal_width_bytes(text, n) <= TEXT_WIDTH;
             n += 1 + strcspn(text + n + 1, " \n"))
                fits = n;
        return terminal_width_bytes(text, end) <= TEXT_WIDTH ? end : fits;
}

/* "  -o, --output FORMAT     text", the text's further lines below its first. */
static void print_row(const char *left, const char *right) {
        int n = (int)terminal_width(left);

        (void)printf("  %s", left);
        if (n > OPTION_WIDTH - 2) {
                (void)putchar('\n');
                n = -2;
        }
        while (right) {
                size_t length = first_line(right);

                (void)printf("%*s%.*s\n", OPTION_WIDTH - n, "", (int)length, right);
                right = right[length] != '\0' ? right + length + 1 : NULL;
                n = -2;
        }
}

static void print_table(const struct cli_option *table) {
        for (; table && table->name; table++) {
                char left[96];

                if (table->flags & CLI_HIDDEN)
                        continue;
                if (table->letter)
                        (void)snprintf(left, sizeof(left), "-%c, --%s%s%s", table->letter, table->name,
                                       table->value ? " " : "", table->value ? table->value : "");
                else
                        (void)snprintf(left, sizeof(left), "--%s%s%s", table->name, table->value ? " " : "",
                                       table->value ? table->value : "");
                print_row(left, table->help);
        }
}

static void print_global(const struct cli *cli) {
        (void)puts("\nOptions of all commands:");
        print_table(cli->global);
        print_row("-h, --help", "print this, or the help of the command");
        print_row("--version", "print the version");
}

/* " --to ADDRESS", of each option that the command cannot do without. */
static void print_needed(const struct cli_command *command) {
        for (size_t i = 0; i < CLI_TABLES_MAX && command->tables[i]; i++)
                for (const struct cli_option *at = command->tables[i]; at->name; at++)
                        if (at->flags & CLI_NEEDED)
                                (void)printf(" --%s %s", at->name, at->value);
}

static void print_command(const struct cli *cli, const struct cli_command *command) {
        (void)printf("%s %s", cli->program, command->words);
        print_needed(command);
        if (command->tables[0])
                (void)printf(" [OPTION…]");
        if (command->arguments)
                (void)printf(" %s", command->arguments);
        if (command->rest)
                (void)printf(" [-- %s]", command->rest_is);
        (void)printf("\n\n%s\n", command->summary);
        if (command->tables[0])
                (void)puts("\nOptions:");
        for (size_t i = 0; i < CLI_TABLES_MAX && command->tables[i]; i++)
                print_table(command->tables[i]);
        if (command->more)
                (void)printf("\n%s", command->more);
        print_global(cli);
        (void)printf("\nSee %s.\n", cli->manual);
}

/* Whether the command's words begin with these; `ret_all`: there are no others. */
static bool begins_with(const struct cli_command *command, const char *const *words, size_t n_words, bool *ret_all) {
        const char *at = command->words;

        for (size_t i = 0; i < n_words; i++) {
                size_t n = strcspn(at, " ");

                *ret_all = !at[n];
                if (n == 0 || strlen(words[i]) != n || strncmp(words[i], at, n) != 0)
                        return *ret_all = false;
                at += at[n] ? n + 1 : n;
        }
        return true;
}

bool cli_print_help(const struct cli *cli, const char *const *words, size_t n_words) {
        bool any = false;

        /* The command itself, whatever follows its words. */
        for (size_t n = n_words; n > 0; n--)
                for (size_t i = 0; i < cli->n_commands; i++) {
                        bool all = false;

                        if (begins_with(cli->commands[i], words, n, &all) && all) {
                                print_command(cli, cli->commands[i]);
                                return true;
                        }
                }
        for (size_t i = 0; i < cli->n_commands; i++) {
                bool all = false;

                any = any || begins_with(cli->commands[i], words, n_words, &all);
        }
        if (!any)
                return false;
        (void)printf("%s [OPTION…] COMMAND\n\n%s\n\nCommands:\n", cli->program, cli->about);
        for (size_t i = 0; i < cli->n_commands; i++) {
                const struct cli_command *command = cli->commands[i];
                char left[128];
                bool all = false;

                if (command->hidden || !begins_with(command, words, n_words, &all))
                        continue;
                (void)snprintf(left, sizeof(left), "%s%s%s", command->words, command->arguments ? " " : "",
                               command->arguments ? command->arguments : "");
                print_row(left, command->summary);
        }
        print_global(cli);
        (void)printf("\nSee %s COMMAND --help, and %s.\n", cli->program, cli->manual);
        return true;
}
