/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/value.h"
#include "common/debug.h"
#include "wire/fingerprint.h"
#include "wire/refusal.h"

/* Known everywhere. They have no member. */
static const struct cli_option help_option = {
        .name = "help", .letter = 'h', .help = "print this, or the help of the command"};
static const struct cli_option version_option = {.name = "version", .help = "print the version"};

/* --- values ------------------------------------------------------------------------------------------------------- */

bool cli_take_flag(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        (void)text;
        *(bool *)member = true;
        return true;
}

bool cli_take_text(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        return *text;
}

bool cli_take_verbose(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        (void)text;
        (void)member;
        debug_init(program_invocation_short_name, true);
        return true;
}

bool cli_take_fingerprint(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        return fingerprint_valid(text);
}

bool cli_take_number(const struct cli_option *option, const char *text, void *member) {
        return value_number(text, option->min, option->max, member);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* Whether the first `n` bytes of `text` are that name, where '_' is '-'. */
static bool names(const char *text, size_t n, const char *name) {
        if (strlen(name) != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((text[i] == '_' ? '-' : text[i]) != name[i])
                        return false;
        return true;
}

/* `n` is 0 for a letter. */
static bool is_option(const struct cli_option *option, const char *text, size_t n) {
        return n > 0 ? names(text, n, option->name) : option->letter && option->letter == *text;
}

static const struct cli_option *in_table(const struct cli_option *table, const char *text, size_t n) {
        for (; table && table->name; table++)
                if (is_option(table, text, n))
                        return table;
        return NULL;
}

static const struct cli_option *in_command(const struct cli_command *command, const char *text, size_t n) {
        for (size_t i = 0; i < CLI_TABLES_MAX && command->tables[i]; i++) {
                const struct cli_option *option = in_table(command->tables[i], text, n);

                if (option)
                        return option;
        }
        return NULL;
}

static const struct cli_option *everywhere(const struct cli *cli, const char *text, size_t n) {
        if (is_option(&help_option, text, n))
                return &help_option;
        if (is_option(&version_option, text, n))
                return &version_option;
        return in_table(cli->global, text, n);
}

/* Of any command: which one it is has not been read yet. */
static const struct cli_option *anywhere(const struct cli *cli, const char *text, size_t n) {
        const struct cli_option *option = everywhere(cli, text, n);

        for (size_t i = 0; !option && i < cli->n_commands; i++)
                option = in_command(cli->commands[i], text, n);
        return option;
}

/* How many of `words` those of the command are, all of them; 0: they are others. */
static size_t matches(const struct cli_command *command, const char *const *words, size_t n_words) {
        const char *at = command->words;

        for (size_t i = 0; i < n_words; i++) {
                size_t n = strcspn(at, " ");

                if (strlen(words[i]) != n || strncmp(words[i], at, n) != 0)
                        return 0;
                at += n;
                if (!*at)
                        return i + 1;
                at++;
        }
        return 0;
}

/* Whether the command's words begin with all of `words`. */
static bool begins_with(const struct cli_command *command, const char *const *words, size_t n_words) {
        const char *at = command->words;

        for (size_t i = 0; i < n_words; i++) {
                size_t n = strcspn(at, " ");

                if (n == 0 || strlen(words[i]) != n || strncmp(words[i], at, n) != 0)
                        return false;
                at += at[n] ? n + 1 : n;
        }
        return true;
}

static const struct cli_command *find_command(const struct cli *cli, const char *const *words, size_t n_words,
                                              size_t *ret_own) {
        const struct cli_command *found = NULL;

        *ret_own = 0;
        for (size_t i = 0; i < cli->n_commands; i++) {
                size_t own = matches(cli->commands[i], words, n_words);

                if (own > *ret_own) {
                        *ret_own = own;
                        found = cli->commands[i];
                }
        }
        return found;
}

/* How many words are those of some command's beginning. */
static size_t known_words(const struct cli *cli, const char *const *words, size_t n_words) {
        size_t most = 0;

        for (size_t n = 1; n <= n_words; n++)
                for (size_t i = 0; i < cli->n_commands; i++)
                        if (begins_with(cli->commands[i], words, n))
                                most = n;
        return most;
}

/* --- complaints --------------------------------------------------------------------------------------------------- */

static void join(const char *const *words, size_t n, char *ret, size_t size) {
        size_t used = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < n && used < size; i++)
                used += (size_t)snprintf(ret + used, size - used, "%s%s", i > 0 ? " " : "", words[i]);
}

static void see_help(const struct cli_line *line) {
        char words[256] = "";

        if (line->command)
                (void)snprintf(words, sizeof(words), "%s", line->command->words);
        else
                join(line->words, known_words(line->cli, line->words, line->n_words), words, sizeof(words));
        complain("see: %s%s%s --help", line->cli->program, *words ? " " : "", words);
}

int cli_usage(const struct cli_line *line, const char *format, ...) {
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        complain("%s", text);
        see_help(line);
        return EXIT_USAGE;
}

/* --- parsing ------------------------------------------------------------------------------------------------------ */

/* What the first pass leaves: values are checked when the command is known. */
struct found {
        const struct cli_option *option; /* of any command */
        const char *text, *value;        /* its name as it stands there; NULL: it takes none */
        size_t n;                        /* bytes of the name; 0 for a letter */
};

struct parse {
        const struct cli *cli;
        struct cli_line *line;
        struct found found[CLI_GIVEN_MAX];
        size_t n_found;
};

static bool add_word(struct parse *parse, const char *word) {
        struct cli_line *line = parse->line;

        if (line->n_words == CLI_ARGUMENTS_MAX) {
                complain("%s: one argument too many", word);
                return false;
        }
        line->words[line->n_words++] = word;
        return true;
}

/* `word` begins with a dash. `next` is the argument behind it, or NULL. */
static bool add_option(struct parse *parse, const char *word, const char *next, bool *ret_took_next) {
        bool is_long = word[1] == '-';
        const char *name = word + (is_long ? 2 : 1), *value = NULL;
        struct found found = {.text = name, .n = is_long ? strcspn(name, "=") : 0};

        found.option = anywhere(parse->cli, name, found.n);
        if (!found.option || (is_long && found.n == 0)) {
                complain("%.*s: unknown option", (int)(found.n > 0 ? found.n + 2 : 2), word);
                return false;
        }
        if (is_long && name[found.n] == '=')
                value = name + found.n + 1;
        else if (!is_long && name[1])
                value = name + 1;
        if (!found.option->value && value) {
                complain("--%s: it takes no value", found.option->name);
                return false;
        }
        *ret_took_next = found.option->value && !value;
        /* A value of "--" is more likely a forgotten one; --name=-- says it plainly. */
        if (*ret_took_next && (!next || strcmp(next, "--") == 0)) {
                complain("--%s: the value is missing: --%s %s", found.option->name, found.option->name,
                         found.option->value);
                return false;
        }
        found.value = *ret_took_next ? next : value;
        if (parse->n_found == CLI_GIVEN_MAX) {
                complain("%s: one option too many", word);
                return false;
        }
        parse->found[parse->n_found++] = found;
        return true;
}

static bool scan(struct parse *parse, int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                bool took_next = false;

                if (strcmp(argv[i], "--") == 0) {
                        parse->line->rest = argv + i + 1;
                        return true;
                }
                if (argv[i][0] != '-' || !argv[i][1]) { /* "-" is a file */
                        if (!add_word(parse, argv[i]))
                                return false;
                } else if (!add_option(parse, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &took_next))
                        return false;
                if (took_next)
                        i++;
        }
        return true;
}

bool cli_given(const struct cli_line *line, const char *name) {
        for (size_t i = 0; i < line->n_given; i++)
                if (strcmp(line->given[i]->name, name) == 0)
                        return true;
        return false;
}

static bool take(struct parse *parse, const struct found *found, void *ret) {
        const struct cli_command *command = parse->line->command;
        const struct cli_option *option = everywhere(parse->cli, found->text, found->n);
        const char *value = found->value;

        if (!option)
                option = in_command(command, found->text, found->n);
        if (!option) {
                complain("--%s: %s %s takes no such option", found->option->name, parse->cli->program, command->words);
                return false;
        }
        if (option->value && !(option->flags & CLI_MANY) && cli_given(parse->line, option->name)) {
                complain("--%s is given twice", option->name);
                return false;
        }
        if (value && !(option->flags & CLI_BYTES) && !value_utf8(value)) {
                complain("--%s: invalid value '%s': it is not UTF-8", option->name, value);
                return false;
        }
        parse->line->given[parse->line->n_given++] = option;
        if (!option->take || option->take(option, value, (char *)ret + option->offset))
                return true;
        if (value && !*value && !option->expected)
                complain("--%s: the value is empty", option->name);
        else if (value && option->fault)
                complain("--%s: invalid value '%s': %s", option->name, value, option->fault(value));
        else
                complain("--%s: invalid value '%s': expected %s", option->name, value ? value : "",
                         option->expected ? option->expected : option->value);
        return false;
}

/* The first one that is needed and not given. */
static const struct cli_option *missing(const struct cli_line *line) {
        for (size_t i = 0; i < CLI_TABLES_MAX && line->command->tables[i]; i++)
                for (const struct cli_option *at = line->command->tables[i]; at->name; at++)
                        if ((at->flags & CLI_NEEDED) && !cli_given(line, at->name))
                                return at;
        return NULL;
}

static bool check(struct parse *parse) {
        const struct cli_command *command = parse->line->command;
        const struct cli_line *line = parse->line;
        const struct cli_option *needed;

        for (size_t i = 0; i < line->n_arguments; i++)
                if (!value_utf8(line->arguments[i])) {
                        complain("%s: it is not UTF-8", line->arguments[i]);
                        return false;
                }
        if (line->n_arguments > command->most) {
                complain("%s: unexpected argument", line->arguments[command->most]);
                return false;
        }
        if (line->n_arguments < command->least) {
                complain("expected: %s %s %s", parse->cli->program, command->words, command->arguments);
                return false;
        }
        needed = missing(line);
        if (needed)
                complain("--%s is missing: --%s %s", needed->name, needed->name, needed->value);
        return !needed;
}

/* What follows "--" are words too, but where a command hands it on. */
static bool add_rest(struct parse *parse) {
        struct cli_line *line = parse->line;

        for (char *const *at = line->rest; at && *at; at++)
                if (!add_word(parse, *at))
                        return false;
        line->rest = NULL;
        return true;
}

static bool find(struct parse *parse) {
        struct cli_line *line = parse->line;
        size_t own, known;

        line->command = find_command(parse->cli, line->words, line->n_words, &own);
        if (!line->command || !line->command->rest) {
                if (!add_rest(parse))
                        return false;
                line->command = find_command(parse->cli, line->words, line->n_words, &own);
        }
        if (line->command) {
                line->n_arguments = line->n_words - own;
                memcpy(line->arguments, line->words + own, line->n_arguments * sizeof(line->arguments[0]));
                return true;
        }
        for (size_t i = 0; i < parse->n_found; i++) {
                line->help = line->help || parse->found[i].option == &help_option;
                line->version = line->version || parse->found[i].option == &version_option;
        }
        known = known_words(parse->cli, line->words, line->n_words);
        if (known < line->n_words) {
                char words[256];

                join(line->words, known + 1, words, sizeof(words));
                complain("%s: no such command", words);
        } else if (line->help || line->version)
                return true;
        else
                complain("a command is missing");
        return false;
}

int cli_parse(const struct cli *cli, int argc, char **argv, struct cli_line *ret_line, void *ret) {
        struct parse parse = {.cli = cli, .line = ret_line};

        *ret_line = (struct cli_line){.cli = cli};
        if (!scan(&parse, argc, argv) || !find(&parse)) {
                see_help(ret_line);
                return EXIT_USAGE;
        }
        if (!ret_line->command)
                return EXIT_DONE;
        for (size_t i = 0; i < parse.n_found; i++) {
                if (!take(&parse, &parse.found[i], ret)) {
                        see_help(ret_line);
                        return EXIT_USAGE;
                }
        }
        ret_line->help = cli_given(ret_line, help_option.name);
        ret_line->version = cli_given(ret_line, version_option.name);
        if (ret_line->help || ret_line->version || check(&parse))
                return EXIT_DONE;
        see_help(ret_line);
        return EXIT_USAGE;
}

int cli_main(const struct cli *cli, int argc, char **argv, void *options) {
        struct cli_line line;
        int status = cli_parse(cli, argc, argv, &line, options);

        if (status == EXIT_DONE && line.version)
                (void)printf("%s " PACKAGE_VERSION "\n", cli->program);
        else if (status == EXIT_DONE && line.help)
                (void)cli_print_help(cli, line.words, line.n_words);
        else if (status == EXIT_DONE)
                status = line.command->run(&line, options);
        /* A refusal says more than a full disk. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_DONE) {
                complain("cannot write the answer: %s", strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        return status;
}
