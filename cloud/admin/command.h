/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of exc-compute-admin, and what a command line says. */
#ifndef EXC_COMPUTE_ADMIN_COMMAND_H
#define EXC_COMPUTE_ADMIN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/options.h"
#include "cloud/store/store.h"

#define COMPUTE_USER "exc-api"
#define ADMIN_ACCOUNT "admin"
#define ADMIN_POLICY "Admin"

/* Exit statuses beside EXIT_DONE, EXIT_OWN_FAILURE and EXIT_USAGE (wire/refusal.h). */
enum {
        EXIT_NOT_FOUND = 4, /* what is named does not exist */
        EXIT_CONFLICT = 5,  /* it exists already, is in use, or its id was deleted */
        EXIT_INVALID = 6,   /* a policy document that is not one */
        EXIT_FAULTS = 7,    /* audit verify found some */
};

/* NULL, 0, "" or false where an option is not given. */
struct options {
        /* Of all commands. */
        bool json;
        const char *database; /* see paths.h */
        const char *user;     /* that root becomes */

        const char *policy;             /* account add */
        int64_t expires_in;             /* init and token create: seconds */
        struct store_instance instance; /* instance put; its name, also instance list */
        bool accept;                    /* host-keys */
        const char *audit;              /* init and audit verify; see paths.h */
        const char *signer_log;         /* audit verify */
        bool no_signer_log;
};

extern const struct cli_option admin_expires_options[]; /* --expires-in */
extern const struct cli_option admin_audit_options[];   /* --audit */

extern const struct cli_command init_command;
extern const struct cli_command account_add_command, account_list_command, account_delete_command;
extern const struct cli_command token_create_command, token_list_command, token_delete_command;
extern const struct cli_command policy_put_command, policy_get_command, policy_list_command, policy_delete_command;
extern const struct cli_command policy_attach_command, policy_detach_command;
extern const struct cli_command instance_put_command, instance_get_command, instance_list_command;
extern const struct cli_command instance_delete_command;
extern const struct cli_command host_keys_command;
extern const struct cli_command audit_verify_command;

#endif
