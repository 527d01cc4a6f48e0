/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute exec: a command or a script on a VM. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "exc/ssh_options.h"
#include "exc/ssh_run.h"

#define SHELL "bash -s"

enum { TIMEOUT_MAX_S = 7 * 24 * 60 * 60 };

static int check(const struct cli_line *line, const struct options *options) {
        int ways = (options->command != NULL) + (options->script_file != NULL) + (line->rest && line->rest[0]);

        if (options->json)
                return cli_usage(line, "-o json needs standard output, which is the command's");
        if (ways == 0)
                return cli_usage(line, "the command is missing: --command, --script-file, or words behind --");
        if (ways > 1)
                return cli_usage(line, "--command, --script-file and words behind -- do not go together");
        return EXIT_DONE;
}

/* A descriptor for the script; STDIN_FILENO for "-". Below 0 when it has complained. */
static int open_script(const char *path) {
        int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                complain("%s: cannot read the script: %s", path, strerror(errno));
        return fd;
}

/* The words behind "--" as one command, as ssh(1) joins them; the caller frees it. */
static char *join(char *const *words) {
        char *text = NULL;
        size_t length;
        FILE *file = open_memstream(&text, &length);

        if (!file)
                return NULL;
        for (size_t i = 0; words[i]; i++)
                (void)fprintf(file, "%s%s", i > 0 ? " " : "", words[i]);
        if (fclose(file) == 0)
                return text;
        free(text);
        return NULL;
}

static int run(const struct options *options, const struct key_grant *grant, const char *command, int input) {
        struct ssh_want want = {.batch = true, .terminal = options->tty, .command = command};
        struct session_start start = {.input = input};
        struct session session;
        int status = ssh_run_open(grant, &session);

        if (status == EXIT_DONE)
                status = ssh_run_start(options, grant, &want, &start, &session);
        if (status == EXIT_DONE)
                status = ssh_run_finish(grant, &session, options->timeout);
        session_close(&session);
        return status;
}

static int with_grant(const struct options *options, struct key_grant *grant, const char *command, int input) {
        const struct key_grant_want want = {.server_key = options->server_key};
        struct api *api;
        int status = api_open(options, &api);

        if (status != EXIT_DONE)
                return status;
        key_grant_protect();
        status = key_grant_get(options, api, &want, grant);
        api_close(api);
        if (status == EXIT_DONE)
                status = run(options, grant, command, input);
        key_grant_end(grant);
        return status;
}

static int exec(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct key_grant grant = {.pair = {.private_half = NULL}};
        char *joined = NULL;
        int input = STDIN_FILENO, status = check(line, options);

        if (status == EXIT_DONE)
                status = target_from_options(line, options, &grant.target);
        if (status == EXIT_DONE && options->script_file) {
                input = open_script(options->script_file);
                if (input < 0)
                        return EXIT_USAGE;
        }
        if (status == EXIT_DONE && line->rest && line->rest[0]) {
                joined = join(line->rest);
                if (!joined) {
                        complain("out of memory");
                        return EXIT_OWN_FAILURE;
                }
        }
        if (status == EXIT_DONE)
                status = with_grant(options, &grant,
                                    options->script_file ? SHELL
                                    : joined             ? joined
                                                         : options->command,
                                    input);
        if (input > STDERR_FILENO)
                (void)close(input);
        free(joined);
        return status;
}

static const struct cli_option exec_options[] = {
        {.name = "command",
         .value = "COMMAND",
         .take = cli_take_text,
         .offset = offsetof(struct options, command),
         .flags = CLI_BYTES,
         .help = "what the user's shell on the VM runs"},
        {.name = "script-file",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, script_file),
         .flags = CLI_BYTES,
         .completes = "files",
         .help = "a script on this machine that bash runs there; - is standard input"},
        {.name = "timeout",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, timeout),
         .min = 1,
         .max = TIMEOUT_MAX_S,
         .expected = "1..604800 seconds",
         .help = "end it after so long, with the exit status 124"},
        {.name = "tty",
         .take = cli_take_flag,
         .offset = offsetof(struct options, tty),
         .help = "with a terminal; default: without, so that output is the command's, byte for byte"},
        {.name = NULL},
};

const struct cli_command exec_command = {
        .words = "compute exec",
        .arguments = "[USER@]VM",
        .summary = "run a command or a script on a VM",
        .most = 1,
        .completes = "vm",
        .rest = true,
        .rest_is = "COMMAND…",
        .tables = {exc_vm_options, exc_ssh_options, exec_options},
        .run = exec,
};
