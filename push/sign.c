/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/output.h"
#include "push/ask.h"
#include "push/command.h"
#include "push/signing.h"
#include "wire/refusal.h"

static int print_envelope(const struct options *options, const struct signing_keys *keys) {
        struct signer signer;
        json_t *envelope = NULL;
        int status;

        status = signing_open(options, &signer);
        if (status == EXIT_DONE)
                status = signing_envelope(options, &signer, keys, NULL, &envelope);
        signer_close(&signer);
        return status == EXIT_DONE ? print_json_new(envelope) : status;
}

static int sign_push(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct signing_keys keys = {.n = 0};
        int status;

        if (line->n_arguments > 0 && strcmp(line->arguments[0], "push") != 0)
                return cli_usage(line, "%s: sign takes push, which is the default, or revoke", line->arguments[0]);
        if (!options->user || options->keys.n_files == 0)
                return cli_usage(line, "sign push needs --user and --key");
        status = signing_check(line, options, false);
        if (status == EXIT_DONE)
                status = signing_read_keys(options, &keys);
        if (status == EXIT_DONE)
                status = signing_try(line, options, &keys, false);
        return status == EXIT_DONE ? print_envelope(options, &keys) : status;
}

static int sign_revoke(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        int status = signing_check_choice(line, options);

        if (status == EXIT_DONE)
                status = signing_check(line, options, false);
        if (status == EXIT_DONE)
                status = signing_try(line, options, NULL, false);
        return status == EXIT_DONE ? print_envelope(options, NULL) : status;
}

#define PRINTS                                                                                                         \
        PUSH_SIGNER_IS                                                                                                 \
        "Prints the signed envelope, as one line of JSON, for exc-push push or revoke --envelope on another\n"         \
        "machine. It has no challenge: the guest's clock must be synchronized.\n"

const struct cli_command sign_command = {
        .words = "sign",
        .arguments = "[push]",
        .summary = "sign a push, and print its envelope",
        .more = "exc-push sign [push] SIGNER --instance ID --user USER --key FILE… [OPTION…]\n\n" PRINTS,
        .most = 1,
        .completes = "push",
        .tables = {push_signing_options, push_key_options},
        .run = sign_push,
};
const struct cli_command sign_revoke_command = {
        .words = "sign revoke",
        .summary = "sign a revocation, and print its envelope",
        .more = "exc-push sign revoke SIGNER --instance ID (--fingerprint F | --user USER | --all) [OPTION…]\n"
                "\n" PRINTS,
        .tables = {push_signing_options, push_choice_options},
        .run = sign_revoke,
};
