/* SPDX-License-Identifier: Apache-2.0 */
/* exc completion: a script for a shell, and what the script asks when somebody presses Tab. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "exc/api.h"
#include "exc/completion.h"
#include "wire/terminal.h"
#include "wire/vm_id.h"

enum { DEADLINE_MS = 2000 };

static int completion(const struct cli_line *line, const void *context) {
        (void)context;
        if (strcmp(line->arguments[0], "bash") == 0)
                (void)fputs(completion_bash, stdout);
        else if (strcmp(line->arguments[0], "zsh") == 0)
                (void)fputs(completion_zsh, stdout);
        else
                return cli_usage(line, "%s: expected bash or zsh", line->arguments[0]);
        return EXIT_DONE;
}

/* Names of VMs with nothing in them that a shell or terminal would take for more than a letter, else ids. */
static void print_vms(const struct options *options, const char *current) {
        struct options quiet = *options;
        const char *at = strrchr(current, '@');
        struct api_answer answer;
        struct api *api;
        json_t *items, *item;
        size_t i;

        quiet.verbose = false;
        if (api_open(&quiet, &api) != EXIT_DONE)
                return;
        api_set_deadline(api, DEADLINE_MS);
        items = api_list(api, api_path("compute", "instance", NULL), &answer);
        json_array_foreach(items, i, item) {
                const char *id = text_or(item, "id", ""), *name = text_or(item, "name", "");
                const char *text = vm_id_valid(name) ? name : id;

                if (vm_id_valid(text))
                        (void)printf("%.*s%s\n", at ? (int)(at + 1 - current) : 0, current, text);
        }
        json_decref(items);
        if (!items)
                api_answer_clear(&answer);
        api_close(api);
}

/* exc complete -- WORD... : the last one is what is being typed. Silent on failure: the line being edited stays as it is. */
static int complete(const struct cli_line *line, const void *context) {
        const char *what, *current;
        int silent;
        size_t n = 0;

        while (line->rest && line->rest[n])
                n++;
        if (n == 0)
                return EXIT_USAGE;
        current = line->rest[n - 1];
        what = cli_complete(&exc_cli, line->rest, n - 1, current);
        if (!what)
                return EXIT_DONE;
        if (strcmp(what, "files") == 0) {
                (void)puts(":files");
                return EXIT_DONE;
        }
        silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (silent >= 0 && dup2(silent, STDERR_FILENO) >= 0)
                print_vms(context, current);
        return EXIT_DONE;
}

const struct cli_command completion_command = {
        .words = "completion",
        .arguments = "bash|zsh",
        .summary = "print a script that completes commands, options and VMs",
        .least = 1,
        .most = 1,
        .completes = "bash zsh",
        .run = completion,
};
const struct cli_command complete_command = {
        .words = "complete",
        .summary = "print what may stand next, for the script of exc completion",
        .hidden = true,
        .rest = true,
        .rest_is = "WORD…",
        .run = complete,
};
