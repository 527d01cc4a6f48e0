/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "control/ask.h"
#include "control/command.h"
#include "control/signing.h"
#include "control/submit.h"
#include "wire/refusal.h"

static int print(const struct options *options, int64_t revoked) {
        if (given(options, OPTION_JSON))
                return ask_print_json(json_pack("{sI}", "revoked", (json_int_t)revoked));
        if (revoked == 0)
                (void)puts("No stored key matched.");
        else
                (void)printf("%" PRId64 " %s dropped. Sessions that are open stay open.\n", revoked,
                             revoked == 1 ? "key was" : "keys were");
        return EXIT_DONE;
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
                "\n"
                "  --fingerprint F     keys with this fingerprint, SHA256:… as ssh-keygen -l prints it\n"
                "  --user USER         keys of this user\n"
                "  --all               all keys\n"
                "\n" HELP_GUEST "\n" HELP_SIGNER
                "  --envelope FILE     send this envelope as it is, - for standard input; see exc-push sign\n"
                "\n" HELP_TERMS,
        .takes = OPTIONS_GUEST | OPTIONS_SIGNER | OPTION_BIT(OPTION_ENVELOPE) | OPTIONS_TERMS | OPTIONS_CHOICE,
        .needs = OPTION_BIT(OPTION_TO),
        .run = revoke,
};
