/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "admin/account.h"
#include "admin/ask.h"
#include "admin/command.h"
#include "cli/output.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

/* What was looked for, so that a misspelt name shows. */
static void print_no_match(const struct options *options) {
        char other[GRANT_USER_MAX];

        (void)fputs("No stored key matched", stdout);
        if (options->given & OPTION_FINGERPRINT) {
                (void)fputs(": fingerprint ", stdout);
                terminal_print(stdout, options->fingerprint);
        }
        if (options->given & OPTION_USER) {
                (void)fputs(options->given & OPTION_FINGERPRINT ? ", user " : ": user ", stdout);
                terminal_print(stdout, options->user);
                if (account_other_name(options->user, other) > 0) {
                        (void)fputs(" or ", stdout);
                        terminal_print(stdout, other);
                }
        }
        (void)puts(".");
}

static int print(const struct options *options, json_t *answer) {
        int status = EXIT_DONE;
        json_int_t revoked;

        if (json_unpack(answer, "{sI}", "revoked", &revoked) < 0)
                return ask_misshapen(options, "RevokeLocal");
        if (options->given & OPTION_JSON) {
                status = print_json(answer);
        } else if (revoked == 0) {
                print_no_match(options);
        } else {
                (void)printf("%" PRId64 " %s dropped. Sessions that are open stay open.\n", (int64_t)revoked,
                             revoked == 1 ? "key was" : "keys were");
        }
        /* With nothing stored, --all has done what was asked. */
        return status == EXIT_DONE && revoked == 0 && !(options->given & OPTION_ALL) ? EXIT_NO_MATCH : status;
}

static int revoke(const struct options *options) {
        struct client_reply reply;
        int which = options->given & (OPTION_FINGERPRINT | OPTION_USER);
        int status;

        /* Exactly one of the two ways: nothing that was left out, as by an empty variable, may mean all. */
        if (!which == !(options->given & OPTION_ALL)) {
                complain(which ? "--all goes with neither --fingerprint nor --user"
                               : "revoke needs --fingerprint, --user or --all");
                complain("see: exc-instance-connect revoke --help");
                return EXIT_USAGE;
        }
        status = ask(options, "RevokeLocal", ask_which_keys(options), &reply);
        if (status == EXIT_DONE)
                status = print(options, reply.parameters);
        json_decref(reply.parameters);
        return status;
}

const struct command revoke_command = {
        .name = "revoke",
        .summary = "drop stored keys before their time",
        .help = "exc-instance-connect revoke --fingerprint FINGERPRINT [--user USER]\n"
                "exc-instance-connect revoke --user USER\n"
                "exc-instance-connect revoke --all\n"
                "\n"
                "Drops stored keys before their time. Sessions that are open stay open.\n"
                "The exit status is 4 where no key matched the fingerprint or the user.\n"
                "\n"
                "  --fingerprint F     keys with this fingerprint, SHA256:… as ssh-keygen -l prints it\n"
                "  --user USER         keys of this account, under each name that it has; with --fingerprint,\n"
                "                      keys that match both\n"
                "  --all               all keys\n"
                "  --json              print the answer as one line of JSON\n"
                "  --socket PATH       ask on this socket instead of " ADMIN_SOCKET "\n",
        .takes = OPTION_FINGERPRINT | OPTION_USER | OPTION_ALL,
        .run = revoke,
};
