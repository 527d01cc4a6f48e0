/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of exc-compute-admin, and what a command line says. */
#ifndef EXC_COMPUTE_ADMIN_COMMAND_H
#define EXC_COMPUTE_ADMIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/store/store.h"

#define COMPUTE_DATABASE "/var/lib/exc-compute-api/compute.db"
#define COMPUTE_AUDIT "/var/log/exc-compute-api/audit"
#define COMPUTE_SIGNER_LOG "/var/log/exc-signer"
#define COMPUTE_USER "exc-api"
#define ADMIN_ACCOUNT "admin"
#define ADMIN_POLICY "Admin"

enum { WORDS_MAX = 3 }; /* behind the command's own */

/* Exit statuses beside EXIT_DONE, EXIT_OWN_FAILURE and EXIT_USAGE (wire/refusal.h). */
enum {
        EXIT_NOT_FOUND = 4, /* what is named does not exist */
        EXIT_CONFLICT = 5,  /* it exists already, is in use, or its id was deleted */
        EXIT_INVALID = 6,   /* a policy document that is not one */
        EXIT_FAULTS = 7,    /* audit verify found some */
};

/* Bits above those of a character, so that getopt_long(3) can return them. */
enum option_bit {
        OPTION_HELP = 1 << 8,
        OPTION_VERSION = 1 << 9,
        OPTION_JSON = 1 << 10,
        OPTION_DATABASE = 1 << 11,
        OPTION_USER = 1 << 12,
        OPTION_GLOBAL = OPTION_HELP | OPTION_VERSION | OPTION_JSON | OPTION_DATABASE | OPTION_USER,

        OPTION_EXPIRES_IN = 1 << 13,
        OPTION_HOST = 1 << 14,
        OPTION_NAME = 1 << 15,
        OPTION_DEFAULT_USER = 1 << 16,
        OPTION_PUBLIC_IPV4 = 1 << 17,
        OPTION_PRIVATE_IPV4 = 1 << 18,
        OPTION_IPV6 = 1 << 19,
        OPTION_PORT = 1 << 20,
        OPTION_KEYPAIR = 1 << 21,
        OPTION_TUNNEL = 1 << 22,
        OPTION_ACCEPT = 1 << 23,
        OPTION_AUDIT = 1 << 24,
        OPTION_SIGNER_LOG = 1 << 25,
        OPTION_NO_SIGNER_LOG = 1 << 26,
        OPTION_POLICY = 1 << 27,
};

struct options {
        int given;                        /* enum option_bit */
        const char *words[2 + WORDS_MAX]; /* command, verb, and their arguments */
        size_t n_words;
        const char *database, *audit, *signer_log; /* paths; paths_find() completes them */
        const char *user;                          /* that root becomes */
        const char *policy;                        /* of account add; NULL: none */
        int64_t expires_in;                        /* seconds */
        struct store_instance instance;            /* what the options of instance put say */
};

struct command {
        const char *name, *verb; /* verb: NULL where the command has none */
        const char *arguments;   /* for people */
        const char *summary;
        size_t least, most; /* arguments */
        int takes, needs;   /* enum option_bit */
        bool no_database;   /* it does not open it */
        int (*run)(const struct options *options, const char *const *arguments);
};

extern const struct command init_command;
extern const struct command account_add_command, account_list_command, account_delete_command;
extern const struct command token_create_command, token_list_command, token_delete_command;
extern const struct command policy_put_command, policy_get_command, policy_list_command, policy_delete_command;
extern const struct command policy_attach_command, policy_detach_command;
extern const struct command instance_put_command, instance_get_command, instance_list_command;
extern const struct command instance_delete_command;
extern const struct command host_keys_command;
extern const struct command audit_verify_command;

/* EXIT_DONE, or EXIT_USAGE when it has complained. Values have been checked. */
int options_parse(int argc, char **argv, struct options *ret);

/* "host" and so on, for one of the bits. */
const char *option_name(int bits);

#endif
