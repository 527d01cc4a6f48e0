/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand next on a command line, for shells. */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

/* Whether the first `n` bytes of `text`, where '_' is '-', are the name. */
static bool names(const struct cli_option *option, const char *text, size_t n) {
        if (strlen(option->name) != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((text[i] == '_' ? '-' : text[i]) != option->name[i])
                        return false;
        return true;
}

static const struct cli_option *in_table(const struct cli_option *table, const char *word) {
        bool is_long = word[1] == '-';

        for (; table && table->name; table++)
                if (is_long ? names(table, word + 2, strcspn(word + 2, "="))
                            : table->letter && table->letter == word[1])
                        return table;
        return NULL;
}

static const struct cli_option *find(const struct cli *cli, const char *word) {
        const struct cli_option *option = in_table(cli->global, word);

        for (size_t i = 0; !option && i < cli->n_commands; i++)
                for (size_t t = 0; !option && t < CLI_TABLES_MAX && cli->commands[i]->tables[t]; t++)
                        option = in_table(cli->commands[i]->tables[t], word);
        return option;
}

/* The text behind these words in the command's own; NULL: they are others. "" where they are all, or more. */
static const char *behind(const struct cli_command *command, const char *const *words, size_t n_words) {
        const char *at = command->words;

        for (size_t i = 0; i < n_words; i++) {
                size_t n = strcspn(at, " ");

                if (n == 0 || strlen(words[i]) != n || strncmp(words[i], at, n) != 0)
                        return *at ? NULL : at;
                at += at[n] ? n + 1 : n;
        }
        return at;
}

static void print_table(const struct cli_option *table) {
        for (; table && table->name; table++)
                if (!(table->flags & CLI_HIDDEN))
                        (void)printf("--%s\n", table->name);
}

/* Next words of commands, each once: the table has those with the same beginning together. */
static void print_words(const struct cli *cli, const char *const *words, size_t n_words) {
        char last[64] = "";

        for (size_t i = 0; i < cli->n_commands; i++) {
                const char *next = behind(cli->commands[i], words, n_words);
                size_t n = next ? strcspn(next, " ") : 0;

                if (n == 0 || n >= sizeof(last) || cli->commands[i]->hidden ||
                    (strlen(last) == n && strncmp(last, next, n) == 0))
                        continue;
                (void)snprintf(last, sizeof(last), "%.*s", (int)n, next);
                (void)puts(last);
        }
}

/* Of `n_words` words, those behind the command's own. */
static size_t n_arguments(const struct cli_command *command, size_t n_words) {
        size_t n = 1;

        for (const char *at = command->words; (at = strchr(at, ' ')); at++)
                n++;
        return n_words - n;
}

static const struct cli_command *command_of(const struct cli *cli, const char *const *words, size_t n_words) {
        for (size_t i = 0; i < cli->n_commands; i++) {
                const char *next = behind(cli->commands[i], words, n_words);

                if (next && !*next)
                        return cli->commands[i];
        }
        return NULL;
}

/* Prints what `completes` lists, or returns "files" or "vm". */
static const char *complete(const char *completes) {
        while (completes && *completes) {
                size_t n = strcspn(completes, " ");

                if (strcmp(completes, "files") == 0 || strcmp(completes, "vm") == 0)
                        return completes;
                (void)printf("%.*s\n", (int)n, completes);
                completes += n + (completes[n] == ' ');
        }
        return NULL;
}

const char *cli_complete(const struct cli *cli, char *const *words, size_t n_words, const char *current) {
        const char *plain[CLI_ARGUMENTS_MAX];
        const struct cli_command *command;
        const struct cli_option *option = NULL;
        size_t n = 0;

        for (size_t i = 0; i < n_words; i++) {
                option = NULL;
                if (strcmp(words[i], "--") == 0) /* a command line of its own */
                        return "files";
                if (words[i][0] == '-' && words[i][1]) {
                        option = find(cli, words[i]);
                        if (!option || !option->value || strchr(words[i], '=') || (words[i][1] != '-' && words[i][2]))
                                option = NULL;
                        else if (i + 1 < n_words)
                                i++, option = NULL;
                } else if (n < CLI_ARGUMENTS_MAX)
                        plain[n++] = words[i];
        }
        if (option) /* whose value comes next */
                return complete(option->completes);
        command = command_of(cli, plain, n);
        if (*current == '-') {
                for (size_t i = 0; command && i < CLI_TABLES_MAX && command->tables[i]; i++)
                        print_table(command->tables[i]);
                print_table(cli->global);
                (void)puts("--help");
                return NULL;
        }
        if (command)
                return n_arguments(command, n) < command->most ? complete(command->completes) : NULL;
        print_words(cli, plain, n);
        return NULL;
}
