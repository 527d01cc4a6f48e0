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
        if (options->fingerprint) {
                (void)fputs(": fingerprint ", stdout);
                terminal_print(stdout, options->fingerprint);
        }
        if (options->user) {
                (void)fputs(options->fingerprint ? ", user " : ": user ", stdout);
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
        if (options->json) {
                status = print_json(answer);
        } else if (revoked == 0) {
                print_no_match(options);
        } else {
                (void)printf("%" PRId64 " %s dropped. Sessions that are open stay open.\n", (int64_t)revoked,
                             revoked == 1 ? "key was" : "keys were");
        }
        /* With nothing stored, --all has done what was asked. */
        return status == EXIT_DONE && revoked == 0 && !options->all ? EXIT_NO_MATCH : status;
}

static int revoke(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct client_reply reply;
        bool which = options->fingerprint || options->user;
        int status;

        /* Exactly one of the two ways: nothing that was left out, as by an empty variable, may mean all. */
        if (which == options->all)
                return cli_usage(line, "expected --fingerprint, --user, or both, or --all alone");
        status = ask(options, "RevokeLocal", ask_which_keys(options), &reply);
        if (status == EXIT_DONE)
                status = print(options, reply.parameters);
        json_decref(reply.parameters);
        return status;
}

static const struct cli_option revoke_options[] = {
        {.name = "fingerprint",
         .value = "SHA256:…",
         .take = cli_take_fingerprint,
         .offset = offsetof(struct options, fingerprint),
         .expected = CLI_FINGERPRINT,
         .help = "keys with this fingerprint"},
        {.name = "user",
         .value = "USER",
         .take = admin_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes",
         .help = "keys of this account, under each name that it has;\n"
                 "with --fingerprint, keys that match both"},
        {.name = "all", .take = cli_take_flag, .offset = offsetof(struct options, all), .help = "all keys"},
        {.name = NULL},
};

const struct cli_command revoke_command = {
        .words = "revoke",
        .summary = "drop stored keys before their time",
        .more = "Give --fingerprint, --user, both, or --all alone. Sessions that are open stay open.\n"
                "The exit status is 4 where no key matched the fingerprint or the user.\n",
        .tables = {revoke_options, admin_agent_options},
        .run = revoke,
};
