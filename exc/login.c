/* SPDX-License-Identifier: Apache-2.0 */
/* exc login: asks for endpoint and token, tries them, and keeps them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/output.h"
#include "exc/problem.h"

enum { LINE_MAX_BYTES = CONFIG_ENDPOINT_MAX };

static volatile sig_atomic_t caught;

static void on_signal(int number) {
        caught = number;
}

/* A line without its end. False: the end of the input, a signal, or more than fits. */
static bool read_line(int fd, char *ret, size_t size) {
        size_t used = 0;
        char c = '\0';
        ssize_t n;

        while ((n = read(fd, &c, 1)) == 1 && c != '\n') {
                if (used + 1 >= size)
                        return false;
                ret[used++] = c;
        }
        while (used > 0 && (ret[used - 1] == '\r' || ret[used - 1] == ' '))
                used--;
        ret[used] = '\0';
        return n >= 0 && used > 0 && strlen(ret) == used;
}

/*
 * The prompt comes when the terminal no longer echoes: what is pasted at once would be shown, and then dropped. Signals that
 * end the process do so when the terminal echoes again.
 */
static bool read_silently(int fd, const char *endpoint, char *ret, size_t size) {
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
        enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };
        struct sigaction note = {.sa_handler = on_signal}, before[SIGNALS];
        struct termios old, silent;
        bool ok;

        if (tcgetattr(fd, &old) < 0)
                return false;
        for (size_t i = 0; i < SIGNALS; i++)
                (void)sigaction(signals[i], &note, &before[i]);
        silent = old;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        ok = tcsetattr(fd, TCSAFLUSH, &silent) == 0;
        if (ok) {
                (void)dprintf(fd, "Token for %s (it is not shown): ", endpoint);
                ok = read_line(fd, ret, size);
        }
        (void)tcsetattr(fd, TCSAFLUSH, &old);
        (void)dprintf(fd, "\n");
        for (size_t i = 0; i < SIGNALS; i++)
                (void)sigaction(signals[i], &before[i], NULL);
        if (caught)
                (void)raise(caught);
        return ok;
}

static int ask(const struct options *options, struct config *config) {
        int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

        if (fd < 0) {
                complain("there is no terminal to ask on; use: exc login --endpoint URL --token-stdin <FILE");
                return EXIT_USAGE;
        }
        if (!*config->endpoint) {
                (void)dprintf(fd, "Endpoint, as https://compute.example.org: ");
                if (!read_line(fd, config->endpoint, sizeof(config->endpoint)) ||
                    endpoint_kind(config->endpoint) == ENDPOINT_INVALID) {
                        complain("endpoint: expected https://HOST, unix:/PATH, or http:// to this machine");
                        (void)close(fd);
                        return EXIT_USAGE;
                }
        }
        if (!options->token_stdin && !read_silently(fd, config->endpoint, config->token, sizeof(config->token)))
                config->token[0] = '\0';
        (void)close(fd);
        return EXIT_DONE;
}

/* Any answer but 401 says that the token is good: an account may be allowed nothing yet. */
static int try(const struct options *options, const struct config *config) {
        const struct problem_about about = {.vm = NULL};
        struct api_answer answer;
        struct api *api;
        int status = api_open_with(options, config, &api);

        if (status != EXIT_DONE)
                return status;
        if (!api_call(api, "GET", "/compute/instance?limit=1", NULL, &answer) &&
            (answer.end != API_REFUSED || strcmp(answer.error, "AccessDenied") != 0))
                status = problem_report(options, api, &answer, &about);
        api_answer_clear(&answer);
        api_close(api);
        return status;
}

static int keep(const struct config *config) {
        json_t *file = config_read();
        char path[PATH_MAX];
        int status;

        if (!file)
                return EXIT_OWN_FAILURE;
        (void)json_object_set_new(file, "endpoint", json_string(config->endpoint));
        (void)json_object_set_new(file, "token", json_string(config->token));
        status = config_write(file);
        json_decref(file);
        if (status == EXIT_DONE && config_path(path) == 0)
                complain("logged in: %s; the token is in %s", config->endpoint, path);
        return status;
}

/* What is kept already: the endpoint is not asked for again. */
static int start(const struct options *options, struct config *config) {
        int status = config_load(options, config);

        explicit_bzero(config->token, sizeof(config->token));
        if (status == EXIT_DONE && options->token_stdin &&
            !read_line(STDIN_FILENO, config->token, sizeof(config->token)))
                config->token[0] = '\0';
        if (status == EXIT_DONE && (!*config->endpoint || !options->token_stdin))
                status = ask(options, config);
        return status;
}

static int login(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct config config;
        int status = start(options, &config);

        if (status == EXIT_DONE && !config_token_valid(config.token)) {
                (void)cli_usage(line, "token: expected exc_, 8 characters, _ and 43 characters, all of it");
                status = EXIT_USAGE;
        }
        if (status == EXIT_DONE)
                status = try(options, &config);
        if (status == EXIT_DONE)
                status = keep(&config);
        explicit_bzero(&config, sizeof(config));
        return status;
}

static const struct cli_option options[] = {
        {.name = "token-stdin",
         .take = cli_take_flag,
         .offset = offsetof(struct options, token_stdin),
         .help = "read the token from standard input"},
        {.name = NULL},
};

const struct cli_command login_command = {
        .words = "login",
        .summary = "keep the endpoint and a token, which is tried first",
        .tables = {options},
        .run = login,
};
