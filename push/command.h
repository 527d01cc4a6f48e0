/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of exc-push, and the parsed command line. */
#ifndef EXC_PUSH_COMMAND_H
#define EXC_PUSH_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/key_file.h"
#include "common/source.h"
#include "libpush/address.h"
#include "libpush/known_hosts.h"
#include "libpush/payload_make.h"

enum option_id {
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_JSON,
        OPTION_TO,
        OPTION_TIMEOUT,
        OPTION_WAIT,
        OPTION_KNOWN_HOSTS,
        OPTION_SIGNING_KEY,
        OPTION_SIGN_COMMAND,
        OPTION_UNSIGNED,
        OPTION_ENVELOPE,
        OPTION_INSTANCE,
        OPTION_VALID_FOR,
        OPTION_NO_CHALLENGE,
        OPTION_USER,
        OPTION_KEY,
        OPTION_GENERATE,
        OPTION_TTL,
        OPTION_CONNECTIONS,
        OPTION_SOURCE,
        OPTION_RESTRICT,
        OPTION_PRINCIPAL,
        OPTION_REQUEST_ID,
        OPTION_FINGERPRINT,
        OPTION_ALL,
        OPTION_COMMAND, /* the arguments after "--" */
        OPTION_MAX_,
};

#define OPTION_BIT(option) (UINT32_C(1) << (option))

/* What several subcommands take. */
#define OPTIONS_GLOBAL (OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))
#define OPTIONS_GUEST                                                                                                  \
        (OPTION_BIT(OPTION_TO) | OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_WAIT) | OPTION_BIT(OPTION_JSON))
#define OPTIONS_SIGNER (OPTION_BIT(OPTION_SIGNING_KEY) | OPTION_BIT(OPTION_SIGN_COMMAND) | OPTION_BIT(OPTION_UNSIGNED))
#define OPTIONS_TERMS (OPTION_BIT(OPTION_INSTANCE) | OPTION_BIT(OPTION_VALID_FOR) | OPTION_BIT(OPTION_NO_CHALLENGE))
#define OPTIONS_KEYS                                                                                                   \
        (OPTION_BIT(OPTION_KEY) | OPTION_BIT(OPTION_TTL) | OPTION_BIT(OPTION_CONNECTIONS) |                            \
         OPTION_BIT(OPTION_SOURCE) | OPTION_BIT(OPTION_RESTRICT) | OPTION_BIT(OPTION_PRINCIPAL) |                      \
         OPTION_BIT(OPTION_REQUEST_ID))
#define OPTIONS_CHOICE (OPTION_BIT(OPTION_FINGERPRINT) | OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_ALL))

/* What their --help says about these. */
#define HELP_GUEST                                                                                                     \
        "  --to ADDRESS        the guest: vsock:CID[:PORT], hybrid:PATH[:PORT] (port: 842),\n"                         \
        "                      serial:PATH or unix:PATH\n"                                                             \
        "  --timeout SECONDS   for each call, 1 to 60 (default: 5)\n"                                                  \
        "  --wait SECONDS      try that long to reach a guest, 1 to 3600 (default: once)\n"                            \
        "  --json              print the answer as one line of JSON\n"
#define HELP_SIGNER                                                                                                    \
        "SIGNER is one of:\n"                                                                                          \
        "  --signing-key FILE  PEM private key, Ed25519 or ECDSA P-256\n"                                              \
        "  --sign-command CMD  a shell command that signs its standard input, for keys in a KMS\n"                     \
        "  --unsigned          no signature, for guests with Trust=channel\n"
#define HELP_TERMS_SIGNED                                                                                              \
        "  --instance ID       the guest's instance id\n"                                                              \
        "  --valid-for SECONDS how long the signature is good (default: 60, or --ttl if that is longer)\n"
#define HELP_TERMS                                                                                                     \
        HELP_TERMS_SIGNED                                                                                              \
        "  --no-challenge      time it by the clocks, and spare the guest's challenge\n"
#define HELP_KEYS                                                                                                      \
        "  --user USER         login name\n"                                                                           \
        "  --key FILE          public key file, - for standard input; may be repeated, at most 8 keys in all\n"        \
        "  --ttl SECONDS       how long the keys live (default: as long as the signature is good)\n"                   \
        "  --connections N     SSH connections that may use them, 0 for any number (default: 1)\n"                     \
        "  --source CIDR       address or range that clients must come from; may be repeated, at most 16\n"            \
        "  --restrict          a shell, but no forwarding of any kind\n"                                               \
        "  --principal NAME    who asked, for the guest's journal\n"                                                   \
        "  --request-id ID     under which request, for the guest's journal\n"

enum { OPTION_VALID_FOR_S = 60 }; /* exp - iat where it is not given */

struct options {
        uint32_t given;      /* OPTION_BIT() of each */
        const char *command; /* NULL where it is not given, as all below; numbers are 0 */
        const char *subject; /* the argument after "sign" */
        const char *to;
        struct address address;
        int timeout_ms;
        int wait; /* seconds */
        char known_hosts[KNOWN_HOSTS_NAME_MAX];
        const char *signing_key;
        const char *sign_command;
        const char *envelope;
        const char *instance;
        int valid_for; /* seconds */
        const char *user;
        const char *key_files[KEY_LIST_MAX];
        size_t n_key_files;
        int ttl; /* seconds */
        int connections;
        struct source sources[PUSH_MADE_SOURCES_MAX];
        size_t n_sources;
        const char *principal;
        const char *request_id;
        const char *fingerprint;
        char *const *argv; /* the arguments after "--", ends with NULL */
};

struct command {
        const char *name;
        const char *summary;
        const char *help;
        uint32_t takes;                            /* OPTION_BIT() of those allowed besides OPTIONS_GLOBAL */
        uint32_t needs;                            /* of those required */
        int (*run)(const struct options *options); /* an exit status (wire/refusal.h) */
};

extern const struct command push_command;
extern const struct command revoke_command;
extern const struct command sign_command;
extern const struct command hello_command;
extern const struct command status_command;

/* EXIT_DONE, or EXIT_USAGE with the error printed. Values are valid UTF-8 and within their ranges. */
int options_parse(int argc, char **argv, struct options *ret);

/* "user" and so on, for the first of the bits. */
const char *option_name(uint32_t bits);

static inline bool given(const struct options *options, enum option_id option) {
        return (options->given & OPTION_BIT(option)) != 0;
}

/* Prints the error and how to get the subcommand's --help. Returns EXIT_USAGE. */
int usage(const struct options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
