/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of exc-push(1), and what a command line says. */
#ifndef EXC_PUSH_COMMAND_H
#define EXC_PUSH_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/key_options.h"
#include "cli/options.h"
#include "libpush/address.h"
#include "libpush/known_hosts.h"
#include "libpush/payload_make.h"

/* NULL, 0, "" or false where an option is not given. */
struct options {
        bool json;

        /* The guest. */
        const char *to;
        struct address address; /* of --to */
        int timeout;            /* seconds, of each call */
        int wait;               /* seconds */
        char known_hosts[KNOWN_HOSTS_NAME_MAX];

        /* Who signs, and for how long: or an envelope that was signed before. */
        const char *signing_key;
        const char *sign_command;
        bool not_signed;
        const char *instance;
        int valid_for; /* seconds */
        bool no_challenge;
        const char *envelope;

        /* The keys of a push. */
        const char *user; /* also of a revocation */
        struct key_options keys;
        bool generate;
        int ttl; /* seconds */
        const char *principal;
        const char *request_id;

        /* The keys of a revocation. */
        const char *fingerprint;
        bool all;
};

/* What several commands take. */
extern const struct cli_option push_guest_options[];    /* --to, --timeout, --wait */
extern const struct cli_option push_signing_options[];  /* the signer, --instance, --valid-for, --no-challenge */
extern const struct cli_option push_envelope_options[]; /* --envelope */
extern const struct cli_option push_key_options[];      /* --user, --key, and what the keys may be used for */
extern const struct cli_option push_choice_options[];   /* --fingerprint, --user, --all */
extern const struct cli_option push_known_hosts_options[];

extern const struct cli_command push_command, revoke_command, hello_command, status_command;
extern const struct cli_command sign_command, sign_revoke_command;

#endif
