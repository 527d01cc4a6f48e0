/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines by tables: one row per option, one table per command and one for all of them.
 *
 *      static const struct cli_option options[] = {
 *              {.name = "user", .value = "USER", .take = cli_take_text, .offset = offsetof(struct options, user),
 *               .help = "login name"},
 *              {.name = "port", .value = "PORT", .take = cli_take_number, .offset = offsetof(struct options, port),
 *               .min = 1, .max = 65535, .expected = "a number from 1 to 65535", .help = "of sshd"},
 *              {.name = NULL},
 *      };
 *
 * Options stand before, between and behind the words of a command: --name VALUE, --name=VALUE, -n VALUE or -nVALUE. In names
 * '_' is '-'. What follows "--" is handed on as it is to a command with `rest`, and is words for others. --help, -h and
 * --version are known everywhere.
 *
 * An option takes a value in all commands that have it, or in none: the words of the command are found by that.
 */
#ifndef EXC_CLI_OPTIONS_H
#define EXC_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct cli_option;

/* Checks `text` (NULL where the option takes no value) and writes to `member`. False: it is not what is expected. */
typedef bool (*cli_take)(const struct cli_option *option, const char *text, void *member);

enum {
        CLI_NEEDED = 1, /* the command cannot do without */
        CLI_MANY = 2,   /* may be repeated: `take` is called each time */
        CLI_BYTES = 4,  /* need not be UTF-8, as a file's name */
        CLI_HIDDEN = 8, /* not in --help */
};

struct cli_option {
        const char *name;  /* with '-', not '_'; NULL ends a table */
        char letter;       /* 'o' for -o, or 0 */
        const char *value; /* in --help; NULL: it takes none */
        cli_take take;
        size_t offset; /* of the member in the program's struct */
        int min, max;  /* for cli_take_number, inclusive */
        unsigned flags;
        const char *expected; /* for people, follows "expected "; may be NULL for cli_take_text and cli_take_flag */
        /* What is wrong with `text`, said in place of what is expected; may be NULL. */
        const char *(*fault)(const char *text);
        const char *help;      /* may have several lines */
        const char *completes; /* "files", "vm", or words with blanks between; NULL: nothing */
};

bool cli_take_flag(const struct cli_option *option, const char *text, void *member);   /* bool */
bool cli_take_text(const struct cli_option *option, const char *text, void *member);   /* const char *, not empty */
bool cli_take_number(const struct cli_option *option, const char *text, void *member); /* int */

/* No member: lines for stages are printed from then on (common/debug.h). */
bool cli_take_verbose(const struct cli_option *option, const char *text, void *member);
#define CLI_VERBOSE_ROW                                                                                                \
        {.name = "verbose",                                                                                            \
         .letter = 'v',                                                                                                \
         .take = cli_take_verbose,                                                                                     \
         .help = "print a line for each stage on standard error,\nas EXC_DEBUG=1 does"}

/* SHA256:…: const char *. */
bool cli_take_fingerprint(const struct cli_option *option, const char *text, void *member);
#define CLI_FINGERPRINT "SHA256: and 43 characters, as ssh-keygen -l prints it" /* what is expected */

enum { CLI_TABLES_MAX = 6, CLI_ARGUMENTS_MAX = 8, CLI_GIVEN_MAX = 64 };

struct cli_line;

struct cli_command {
        const char *words;     /* "compute instance list" */
        const char *arguments; /* behind them, for people: "[USER@]VM"; NULL: none */
        const char *summary;
        const char *more;      /* paragraphs behind the options in --help, or NULL */
        size_t least, most;    /* number of arguments */
        const char *completes; /* of the arguments, as of an option */
        bool hidden;           /* not in --help */
        bool rest;             /* takes what follows "--" */
        const char *rest_is;   /* for people: "SSH ARGUMENT…" */
        const struct cli_option *tables[CLI_TABLES_MAX];
        int (*run)(const struct cli_line *line, const void *options); /* an exit status */
};

struct cli {
        const char *program;
        const char *about;  /* one sentence */
        const char *manual; /* "exc(1)" */
        const struct cli_command *const *commands;
        size_t n_commands;
        const struct cli_option *global;
};

struct cli_line {
        const struct cli *cli;
        const struct cli_command *command; /* NULL: none; what is asked for is then --help or --version */
        const char *arguments[CLI_ARGUMENTS_MAX];
        size_t n_arguments;
        char *const *rest; /* behind "--" of a command with `rest`, ends with NULL; NULL: no "--" */
        bool help, version;
        const char *words[CLI_ARGUMENTS_MAX]; /* all words, the command's own first */
        size_t n_words;
        const struct cli_option *given[CLI_GIVEN_MAX];
        size_t n_given;
};

/*
 * Fills `ret_line` and the program's struct `ret`, whose members keep what they have where no option is given. EXIT_DONE, or
 * EXIT_USAGE when it has complained, with the next step.
 */
int cli_parse(const struct cli *cli, int argc, char **argv, struct cli_line *ret_line, void *ret);

/* cli_parse(), then --help, --version or the command's run(). An exit status; what stdout could not take is a failure. */
int cli_main(const struct cli *cli, int argc, char **argv, void *options);

/* Whether the option of that name, with '-', was given. */
bool cli_given(const struct cli_line *line, const char *name);

/* Complains, with how to get the command's --help. EXIT_USAGE. */
int cli_usage(const struct cli_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The help of one command, of those that begin with these words, or with no words of all. False: there is none such. */
bool cli_print_help(const struct cli *cli, const char *const *words, size_t n_words);

/*
 * Prints what may stand in place of `current`, behind these words, one to a line; the caller's shell takes those that go with it.
 * Returns "files" where it is the name of a file, "vm" where it is a VM, else NULL.
 */
const char *cli_complete(const struct cli *cli, char *const *words, size_t n_words, const char *current);

#endif
