/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "push/ask.h"
#include "push/command.h"
#include "push/signing.h"
#include "push/submit.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

static bool names_keys(const struct options *options) {
        return given(options, OPTION_USER) || given(options, OPTION_FINGERPRINT);
}

/* The name that matched nothing, so that a misspelt one shows. */
static void print_no_match(const struct options *options) {
        (void)fputs("No stored key matched", stdout);
        if (given(options, OPTION_FINGERPRINT)) {
                (void)fputs(": fingerprint ", stdout);
                terminal_print(stdout, options->fingerprint);
        }
        if (given(options, OPTION_USER)) {
                (void)fputs(": user ", stdout);
                terminal_print(stdout, options->user);
                (void)fputs(", under each name that the guest's name service has for it", stdout);
        }
        (void)puts(".");
}

static int print(const struct options *options, int64_t revoked) {
        int status = EXIT_DONE;

        if (given(options, OPTION_JSON)) {
                status = ask_print_json(json_pack("{sI}", "revoked", (json_int_t)revoked));
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

static int revoke(const struct options *options) {
        struct signer signer = {.key = NULL};
        int64_t revoked;
        int status;

        status = signing_check(options, true);
        if (status == EXIT_DONE && !given(options, OPTION_ENVELOPE)) {
                status = signing_check_choice(options);
                if (status == EXIT_DONE)
                        status = signing_try(options, NULL, true);
        }
        if (status != EXIT_DONE)
                return status;
        status = signing_open(options, &signer);
        if (status == EXIT_DONE)
                status = send(options, &signer, &revoked);
        signer_close(&signer);
        return status == EXIT_DONE ? print(options, revoked) : status;
}

const struct command revoke_command = {
        .name = "revoke",
        .summary = "drop keys from a guest before their time",
        .help = "exc-push revoke --to ADDRESS SIGNER --instance ID (--fingerprint F | --user USER | --all) [OPTION…]\n"
                "exc-push revoke --to ADDRESS --envelope FILE [OPTION…]\n"
                "\n"
                "Drops keys from a guest before their time. Sessions that are open stay open.\n"
                "The exit status is 4 where no key matched the fingerprint or the user.\n"
                "\n"
                "  --fingerprint F     keys with this fingerprint, SHA256:… as ssh-keygen -l prints it\n"
                "  --user USER         keys of this account, under each name that it has in the guest\n"
                "  --all               all keys\n"
                "\n" HELP_GUEST "\n" HELP_SIGNER
                "  --envelope FILE     send this envelope as it is, - for standard input; see exc-push sign\n"
                "\n" HELP_TERMS,
        .takes = OPTIONS_GUEST | OPTIONS_SIGNER | OPTION_BIT(OPTION_ENVELOPE) | OPTIONS_TERMS | OPTIONS_CHOICE,
        .needs = OPTION_BIT(OPTION_TO),
        .run = revoke,
};
