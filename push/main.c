/* SPDX-License-Identifier: Apache-2.0 */
/* exc-push(1): calls of the control plane to its guests. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/output.h"
#include "push/command.h"
#include "wire/refusal.h"

enum { SECURE_HEAP_SIZE = 32 * 1024, SECURE_PIECE_MIN = 32 }; /* bytes; both are powers of two, as OpenSSL wants */

static const struct command *const commands[] = {&push_command, &revoke_command, &sign_command, &hello_command,
                                                 &status_command};

static void print_help(void) {
        (void)puts("exc-push COMMAND [OPTION…]\n"
                   "\n"
                   "Pushes short-lived SSH public keys into guests.\n"
                   "\n"
                   "Commands:");
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                (void)printf("  %-15s %s\n", commands[i]->name, commands[i]->summary);
        (void)puts("\n"
                   "Options:\n"
                   "  --help          print this, or after a command what it takes\n"
                   "  --version       print the version\n"
                   "\n"
                   "See exc-push(1).");
}

static const struct command *find_command(const char *name) {
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                if (strcmp(name, commands[i]->name) == 0)
                        return commands[i];
        return NULL;
}

static int run(const struct command *command, const struct options *options) {
        uint32_t foreign = options->given & ~(command->takes | OPTIONS_GLOBAL);
        uint32_t missing = command->needs & ~options->given;

        if (foreign)
                return usage(options, "%s takes no --%s", command->name, option_name(foreign));
        if (missing)
                return usage(options, "%s needs --%s", command->name, option_name(missing));
        return command->run(options);
}

static int dispatch(int argc, char **argv) {
        const struct options none = {.given = 0};
        const struct command *command = NULL;
        struct options options;
        int status;

        status = options_parse(argc, argv, &options);
        if (status != EXIT_DONE)
                return status;
        if (options.command) {
                command = find_command(options.command);
                if (!command)
                        return usage(&none, "%s: no such command", options.command);
        }
        if (given(&options, OPTION_HELP)) {
                if (command)
                        (void)fputs(command->help, stdout);
                else
                        print_help();
                return EXIT_DONE;
        }
        if (given(&options, OPTION_VERSION)) {
                (void)puts("exc-push " PACKAGE_VERSION);
                return EXIT_DONE;
        }
        return command ? run(command, &options) : usage(&none, "a command is missing");
}

/* What is opened later must not be taken for one of the three. */
static bool open_standard_streams(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
                        return false;
        return true;
}

int main(int argc, char **argv) {
        int status;

        if (!open_standard_streams())
                return EXIT_OWN_FAILURE;
        /*
         * Private keys are in this memory: no core dump, no tracing by other programs of this user, and a piece that is
         * locked where the limits allow that. Without any of it the keys are as safe as in any other program.
         */
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_PIECE_MIN);

        status = dispatch(argc, argv);
        /* A refusal says more than a full disk. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_DONE) {
                complain("cannot write the answer: %s", strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        return status;
}
