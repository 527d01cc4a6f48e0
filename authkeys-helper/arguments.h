/* SPDX-License-Identifier: Apache-2.0 */
/* The command lines of exc-authorized-keys and exc-authorized-keys-chain. */
#ifndef EXC_ARGUMENTS_H
#define EXC_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "authkeys-helper/identity.h"
#include "common/ssh_key.h"

struct arguments {
        const char *runtime_dir;
        bool expiry_time;     /* sshd is 9.1 or newer and reads expiry-time= in UTC */
        bool verbose;         /* print a line per stage */
        bool has_caller;      /* exc-authorized-keys-chain has identified the connection */
        struct caller caller; /* where has_caller */
        const char *user;
        const char *fingerprint;     /* NULL: list the user's keys instead of looking one up */
        const char *type, *key_text; /* sshd's %t and %k; NULL where it did not pass them */
        bool has_key;
        struct ssh_key key; /* the key that the client offers, where has_key */
        bool foreign_key;   /* a key is offered that the agent never stores: a certificate, an unknown type */

        /* exc-authorized-keys-chain only. */
        const char *chain_user; /* NULL: the user that runs it */
        char *const *chain;     /* NULL, or the other command and its arguments, ended by NULL */
};

enum arguments_result {
        ARGUMENTS_RUN,
        ARGUMENTS_HELP,
        ARGUMENTS_VERSION,
        ARGUMENTS_WRONG, /* `ret_why` says what */
};

/* The index of the first "--", where the other command's own words begin, or `argc` where there is none. */
int arguments_separator(int argc, char *const argv[]);

/*
 * Options come before USER, so that no login name is ever read as one. `ret` points into `argv`. `ret->chain` is set
 * whenever there is a "--" with a command behind it, also on ARGUMENTS_WRONG: a wrong option of ours must not take the
 * other command's keys away.
 */
enum arguments_result arguments_parse(int argc, char *const argv[], struct arguments *ret, const char **ret_why);

#endif
