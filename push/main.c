/* SPDX-License-Identifier: Apache-2.0 */
/* exc-push(1): calls of the control plane to its guests. */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/debug.h"
#include "libpush/guest.h"
#include "push/command.h"
#include "wire/refusal.h"

enum { SECURE_HEAP_SIZE = 32 * 1024, SECURE_PIECE_MIN = 32 }; /* bytes; both are powers of two, as OpenSSL wants */

static const struct cli_option global[] = {
        {.name = "json",
         .take = cli_take_flag,
         .offset = offsetof(struct options, json),
         .help = "print the answer as one line of JSON"},
        CLI_VERBOSE_ROW,
        {.name = NULL},
};

static const struct cli_command *const commands[] = {
        &push_command, &revoke_command, &sign_command, &sign_revoke_command, &hello_command, &status_command,
};

static const struct cli cli = {
        .program = "exc-push",
        .about = "Pushes short-lived SSH public keys into guests.",
        .manual = "exc-push(1)",
        .commands = commands,
        .n_commands = sizeof(commands) / sizeof(commands[0]),
        .global = global,
};

/* What is opened later must not be taken for one of the three. */
static bool open_standard_streams(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
                        return false;
        return true;
}

int main(int argc, char **argv) {
        struct options options = {.timeout = GUEST_TIMEOUT_MS / 1000, .keys = {.connections = -1}};

        if (!open_standard_streams())
                return EXIT_OWN_FAILURE;
        /*
         * Private keys are in this memory: no core dump, no tracing by other programs of this user, and a piece that is
         * locked where the limits allow that. Without any of it the keys are as safe as in any other program.
         */
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_PIECE_MIN);

        debug_init(cli.program, false);
        return cli_main(&cli, argc, argv, &options);
}
