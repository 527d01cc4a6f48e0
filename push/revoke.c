/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/output.h"
#include "push/ask.h"
#include "push/command.h"
#include "push/signing.h"
#include "push/submit.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

static bool names_keys(const struct options *options) {
        return options->user || options->fingerprint;
}

/* The name that matched nothing, so that a misspelt one shows. */
static void print_no_match(const struct options *options) {
        (void)fputs("No stored key matched", stdout);
        if (options->fingerprint) {
                (void)fputs(": fingerprint ", stdout);
                terminal_print(stdout, options->fingerprint);
        }
        if (options->user) {
                (void)fputs(": user ", stdout);
                terminal_print(stdout, options->user);
                (void)fputs(", under each name that the guest's name service has for it", stdout);
        }
        (void)puts(".");
}

static int print(const struct options *options, int64_t revoked) {
        int status = EXIT_DONE;

        if (options->json) {
                status = print_json_new(json_pack("{sI}", "revoked", (json_int_t)revoked));
        } else if (revoked == 0) {
                print_no_match(options);
        } else {
                (void)printf("%" PRId64 " %s dropped. Sessions that are open stay open.\n", revoked,
                             revoked == 1 ? "key was" : "keys were");
        }
        /* With nothing stored, --all is done. What an envelope names is not parsed here. */
        return status == EXIT_DONE && revoked == 0 && names_keys(options) ? EXIT_NO_MATCH : status;
}

static enum client_result call(void *context, struct guest *guest, json_t *envelope) {
        return guest_revoke(guest, envelope, context);
}

static int send(const struct options *options, const struct signer *signer, int64_t *ret_revoked) {
        struct guest guest;
        int status;

        status = submit(options, signer, NULL, call, ret_revoked, &guest);
        guest_close(&guest);
        return status;
}

static int revoke(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct signer signer = {.key = NULL};
        int64_t revoked;
        int status;

        status = signing_check(line, options, true);
        if (status == EXIT_DONE && !options->envelope) {
                status = signing_check_choice(line, options);
                if (status == EXIT_DONE)
                        status = signing_try(line, options, NULL, true);
        }
        if (status != EXIT_DONE)
                return status;
        status = signing_open(options, &signer);
        if (status == EXIT_DONE)
                status = send(options, &signer, &revoked);
        signer_close(&signer);
        return status == EXIT_DONE ? print(options, revoked) : status;
}

const struct cli_command revoke_command = {
        .words = "revoke",
        .summary = "drop keys from a guest before their time",
        .more = "exc-push revoke --to ADDRESS SIGNER --instance ID (--fingerprint F | --user USER | --all) [OPTION…]\n"
                "exc-push revoke --to ADDRESS --envelope FILE [OPTION…]\n"
                "\n" PUSH_SIGNER_IS
                "Sessions that are open stay open. The exit status is 4 where no key matched the fingerprint or the\n"
                "user.\n",
        .tables = {push_choice_options, push_guest_options, push_signing_options, push_envelope_options},
        .run = revoke,
};
