/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of exc(1), and what a command line says. */
#ifndef EXC_EXC_COMMAND_H
#define EXC_EXC_COMMAND_H

#include <stdbool.h>

#include "cli/options.h"
#include "wire/refusal.h"

/*
 * Exit statuses beside EXIT_DONE, EXIT_OWN_FAILURE, EXIT_USAGE and EXIT_NOT_REACHED (wire/refusal.h), which here is: the API was
 * not reached. They end a command before ssh runs; then the status is ssh's.
 */
enum {
        EXIT_NOT_FOUND = 4,         /* there is no such VM, key pair, ... */
        EXIT_CONFLICT = 5,          /* it exists already, is in use, or was revoked meanwhile */
        EXIT_NOT_LOGGED_IN = 6,     /* no token, or one that is not good any more */
        EXIT_DENIED = 7,            /* by a policy, or by the signer */
        EXIT_GUEST_REFUSED = 8,     /* by the agent in the VM */
        EXIT_GUEST_UNREACHABLE = 9, /* the VM's agent, or its sshd, does not answer */
        EXIT_UNAVAILABLE = 10,      /* a part of the control plane does not work now */
        EXIT_LIMITED = 11,          /* too many requests */
        EXIT_HOST_KEYS_CHANGED = 12,
        EXIT_TIMED_OUT = 124, /* as timeout(1) */
        EXIT_SIGNALLED = 128, /* and the number of the signal that ended exc */
};

struct options {
        /* Of all commands. NULL or 0 where an option is not given. */
        const char *endpoint;
        const char *ca_file;
        bool no_proxy;
        bool json; /* -o json */
        bool verbose;

        /* Of those about one VM: target_from_options() makes one of them. */
        const char *vm;
        const char *user;

        /* Of several commands. */
        const char *public_key; /* a file */
        const char *fingerprint;
        bool all;
        const char *name;
        int ttl;         /* seconds */
        int connections; /* -1 where it is not given */

        /* exc login */
        bool token_stdin;

        /* exc compute keypair create */
        const char *type;
        const char *file;

        /* exc iam token, policy */
        const char *account;
        int expires_in; /* seconds */

        /* exc compute connect, exec, scp and ssh-config */
        bool server_key;
        const char *address;
        bool print_command;
        const char *command;
        const char *script_file;
        int timeout; /* seconds, 0: none */
        bool tty;
        const char *src, *dst; /* files, in any encoding */
        bool download, recursive;
        bool write;
        const char *directory; /* exc compute proxy-command */
};

extern const struct cli exc_cli;

/* --endpoint, --ca-file, --no-proxy, -o, --verbose: exc_cli's own. */
extern const struct cli_option exc_global_options[];

/* --vm-id and --user, for the tables of commands that have a VM. */
extern const struct cli_option exc_vm_options[];

/* --vm-id alone. */
extern const struct cli_option exc_vm_id_options[];

/* A login name of 1 to 256 bytes that does not begin with '-' and has no control characters: const char *. */
bool exc_take_user(const struct cli_option *option, const char *text, void *member);

/* One line on standard error with --verbose. Never a token, never a private key. */
void verbose(const struct options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

extern const struct cli_command login_command, help_command, completion_command, complete_command;
extern const struct cli_command config_get_command, config_set_command, config_unset_command, config_path_command;
extern const struct cli_command connect_command, exec_command, scp_command, ssh_config_command;
extern const struct cli_command dial_command, proxy_command;
extern const struct cli_command send_public_key_command, revoke_command;
extern const struct cli_command instance_list_command, instance_show_command, accept_host_keys_command;
extern const struct cli_command keypair_create_command, keypair_import_command, keypair_list_command;
extern const struct cli_command keypair_show_command, keypair_delete_command;
extern const struct cli_command account_create_command, account_list_command, account_show_command,
        account_delete_command;
extern const struct cli_command token_create_command, token_list_command, token_show_command, token_delete_command;
extern const struct cli_command policy_put_command, policy_list_command, policy_show_command, policy_delete_command;
extern const struct cli_command policy_attach_command, policy_detach_command;

#endif
