/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-authorized-keys-chain: sshd's AuthorizedKeysCommand where the host has another one already.
 *
 * 1. It identifies the sshd process that runs it: the connection.
 * 2. It runs exc-authorized-keys over a pipe, under a deadline, and prints its line if there is one.
 * 3. Otherwise, also after a failure of the first two, it becomes the other command: with that command's user, no
 *    timer, no signal changed and no restriction of ours.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authkeys-helper/arguments.h"
#include "authkeys-helper/chain.h"
#include "authkeys-helper/event.h"
#include "authkeys-helper/identity.h"
#include "common/debug.h"
#include "common/lifetime.h"
#include "common/store.h"

#define PROGRAM "exc-authorized-keys-chain"

static const char usage[] =
        "Usage: exc-authorized-keys-chain [OPTION…] USER [FINGERPRINT [TYPE KEY]] -- COMMAND [ARG…]\n"
        "\n"
        "Prints what exc-authorized-keys prints for the key that sshd asks about, or else runs COMMAND:\n"
        "  AuthorizedKeysCommand " PKGLIBEXECDIR "/exc-authorized-keys-chain --chain-user NAME %u %f %t %k -- COMMAND\n"
        "  AuthorizedKeysCommandUser root\n"
        "\n"
        "  --chain-user NAME   run COMMAND as this user; sshd must run this program as root then\n"
        "  --runtime-dir DIR   the store's directory (" STORE_RUNTIME_DIR ")\n"
        "  --expiry-time       add expiry-time=, which sshd 9.1 and newer enforce as well\n"
        "  --verbose           print what happens on standard error, as EXC_DEBUG=1 does\n"
        "  --help, --version\n"
        "\n"
        "See exc-authorized-keys-chain(8).\n";

int main(int argc, char *argv[]) {
        char helper[PATH_MAX];
        struct arguments asked;
        struct caller caller;
        const char *why = "";
        int r;

        /* First: the parent is the sshd process of this connection, and may be gone a moment later. */
        caller_identify(&caller);
        switch (arguments_parse(argc, argv, &asked, &why)) {
        case ARGUMENTS_HELP:
                (void)fputs(usage, stdout);
                return EXIT_SUCCESS;
        case ARGUMENTS_VERSION:
                (void)puts(PROGRAM " " PACKAGE_VERSION);
                return EXIT_SUCCESS;
        case ARGUMENTS_RUN:
                if (asked.chain)
                        break;
                why = "a command after -- is expected";
                __attribute__((fallthrough));
        case ARGUMENTS_WRONG:
                event_failure(asked.user, caller_connection(&caller), "%s; see " PROGRAM " --help", why);
                if (!asked.chain)
                        return EXIT_SUCCESS;
                chain_other(&asked, &caller);
        }
        debug_init(PROGRAM, asked.verbose);
        if (caller.result < 0)
                debug_line("connection: not identified: %s", strerror(-caller.result));
        else
                debug_line("connection: process %" PRIu64 ", started %" PRIu64 " ticks after boot", caller.id.pid,
                           caller.id.start_ticks);
        r = identity_sibling(argv[0], "exc-authorized-keys", helper);
        if (r < 0) {
                debug_line("exc-authorized-keys: its path: %s", strerror(-r));
                chain_other(&asked, &caller);
        }
        chain_run(&asked, helper, &caller, CHAIN_DEADLINE_S * NS_PER_S);
}
