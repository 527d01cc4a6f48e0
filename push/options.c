/* SPDX-License-Identifier: Apache-2.0 */
/* The options that several commands take. */
#include "push/command.h"

/* --- values: a `member` without an offset is the whole struct ------------------------------------------------------ */

static bool take_to(const struct cli_option *option, const char *text, void *member) {
        struct options *options = member;

        (void)option;
        options->to = text;
        return !address_from_text(text, &options->address);
}

static const char *address_fault(const char *text) {
        struct address address;

        return address_from_text(text, &address);
}

static bool take_known_hosts(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        return known_hosts_name(text, member);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

const struct cli_option push_guest_options[] = {
        {.name = "to",
         .value = "ADDRESS",
         .take = take_to,
         .flags = CLI_NEEDED,
         .fault = address_fault,
         .help = "the guest: vsock:CID[:PORT], hybrid:PATH[:PORT] (port: 842),\nserial:PATH or unix:PATH"},
        {.name = "timeout",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, timeout),
         .min = 1,
         .max = 60,
         .expected = "1..60 seconds",
         .help = "for each call, 1 to 60 (default: 5)"},
        {.name = "wait",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, wait),
         .min = 1,
         .max = 3600,
         .expected = "1..3600 seconds",
         .help = "try that long to reach a guest, 1 to 3600 (default: once)"},
        {.name = NULL},
};

const struct cli_option push_signing_options[] = {
        {.name = "signing-key",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, signing_key),
         .completes = "files",
         .help = "signer: PEM private key, Ed25519 or ECDSA P-256"},
        {.name = "sign-command",
         .value = "CMD",
         .take = cli_take_text,
         .offset = offsetof(struct options, sign_command),
         .help = "signer: a shell command that signs its standard input, for keys in a KMS"},
        {.name = "unsigned",
         .take = cli_take_flag,
         .offset = offsetof(struct options, not_signed),
         .help = "no signature, for guests with Trust=channel"},
        {.name = "instance",
         .value = "ID",
         .take = cli_take_text,
         .offset = offsetof(struct options, instance),
         .help = "the guest's instance id"},
        {.name = "valid-for",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, valid_for),
         .min = 1,
         .max = VALID_CHALLENGE_MAX_S,
         .expected = "1..3600 seconds",
         .help = "how long the signature is good (default: 60, or --ttl if that is longer)"},
        {.name = "no-challenge",
         .take = cli_take_flag,
         .offset = offsetof(struct options, no_challenge),
         .help = "time it by the clocks, and spare the guest's challenge; sign always does"},
        {.name = NULL},
};

const struct cli_option push_envelope_options[] = {
        {.name = "envelope",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, envelope),
         .completes = "files",
         .help = "send this envelope as it is, - for standard input; see exc-push sign"},
        {.name = NULL},
};

const struct cli_option push_key_options[] = {
        {.name = "user",
         .value = "USER",
         .take = cli_take_text,
         .offset = offsetof(struct options, user),
         .help = "login name"},
        KEY_OPTIONS_FILE_ROW(struct options, 0),
        {.name = "ttl",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, ttl),
         .min = 1,
         .max = VALID_CHALLENGE_MAX_S,
         .expected = "1..3600 seconds",
         .help = "how long the keys live (default: as long as the signature is good)"},
        KEY_OPTIONS_USE_ROWS(struct options),
        {.name = "principal",
         .value = "NAME",
         .take = cli_take_text,
         .offset = offsetof(struct options, principal),
         .help = "who asked, for the guest's journal"},
        {.name = "request-id",
         .value = "ID",
         .take = cli_take_text,
         .offset = offsetof(struct options, request_id),
         .help = "under which request, for the guest's journal"},
        {.name = NULL},
};

const struct cli_option push_choice_options[] = {
        {.name = "fingerprint",
         .value = "F",
         .take = cli_take_fingerprint,
         .offset = offsetof(struct options, fingerprint),
         .expected = CLI_FINGERPRINT,
         .help = "keys with this fingerprint, SHA256:… as ssh-keygen -l prints it"},
        {.name = "user",
         .value = "USER",
         .take = cli_take_text,
         .offset = offsetof(struct options, user),
         .help = "keys of this account, under each name that it has in the guest"},
        {.name = "all", .take = cli_take_flag, .offset = offsetof(struct options, all), .help = "all keys"},
        {.name = NULL},
};

const struct cli_option push_known_hosts_options[] = {
        {.name = "known-hosts",
         .value = "NAME",
         .take = take_known_hosts,
         .offset = offsetof(struct options, known_hosts),
         .expected = "the name of one host, or [host]:port",
         .help = "print the guest's host keys as lines of known_hosts for this name"},
        {.name = NULL},
};
