/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "push/ask.h"
#include "push/command.h"
#include "push/signing.h"
#include "wire/refusal.h"

enum { PUSHES = OPTIONS_KEYS | OPTION_BIT(OPTION_USER) };

static int check(const struct options *options, bool revokes) {
        uint32_t foreign = options->given & (revokes ? OPTIONS_KEYS : OPTIONS_CHOICE & ~OPTION_BIT(OPTION_USER));

        if (foreign)
                return usage(options, "sign %s takes no --%s", revokes ? "revoke" : "push", option_name(foreign));
        if (revokes)
                return signing_check_choice(options);
        if (!given(options, OPTION_USER) || !given(options, OPTION_KEY))
                return usage(options, "sign push needs --user and --key");
        return EXIT_DONE;
}

static int print_envelope(const struct options *options, const struct signing_keys *keys) {
        struct signer signer;
        json_t *envelope = NULL;
        int status;

        status = signing_open(options, &signer);
        if (status == EXIT_DONE)
                status = signing_envelope(options, &signer, keys, NULL, &envelope);
        signer_close(&signer);
        return status == EXIT_DONE ? ask_print_json(envelope) : status;
}

static int sign(const struct options *options) {
        bool revokes = options->subject && strcmp(options->subject, "revoke") == 0;
        struct signing_keys keys = {.n = 0};
        int status;

        if (options->subject && !revokes && strcmp(options->subject, "push") != 0)
                return usage(options, "%s: sign takes push, which is the default, or revoke", options->subject);
        status = check(options, revokes);
        if (status == EXIT_DONE)
                status = signing_check(options, false);
        if (status == EXIT_DONE && !revokes)
                status = signing_read_keys(options, &keys);
        if (status == EXIT_DONE)
                status = signing_try(options, revokes ? NULL : &keys, false);
        return status == EXIT_DONE ? print_envelope(options, revokes ? NULL : &keys) : status;
}

const struct command sign_command = {
        .name = "sign",
        .summary = "sign a push or a revocation, and print its envelope",
        .help = "exc-push sign [push] SIGNER --instance ID --user USER --key FILE… [OPTION…]\n"
                "exc-push sign revoke SIGNER --instance ID (--fingerprint F | --user USER | --all) [OPTION…]\n"
                "\n"
                "Prints the signed envelope, as one line of JSON, for exc-push push or revoke --envelope on another\n"
                "machine. It has no challenge: the guest's clock must be synchronized.\n"
                "\n" HELP_SIGNER "\n" HELP_TERMS_SIGNED "\n" HELP_KEYS "\n"
                "  --fingerprint F     revoke: keys with this fingerprint, SHA256:… as ssh-keygen -l prints it\n"
                "  --all               revoke: all keys\n",
        .takes = OPTIONS_SIGNER | OPTIONS_TERMS | PUSHES | OPTIONS_CHOICE | OPTION_BIT(OPTION_JSON),
        .run = sign,
};
