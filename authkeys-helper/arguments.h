/* SPDX-License-Identifier: Apache-2.0 */
/* What sshd, or an administrator, asks of the helper. */
#ifndef EXC_ARGUMENTS_H
#define EXC_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/ssh_key.h"

struct arguments {
        const char *runtime_dir;
        bool expiry_time;       /* sshd is 9.1 or newer and reads expiry-time= in UTC */
        const char *chain_user; /* NULL: the user that runs the helper */
        const char *user;
        const char *fingerprint; /* NULL: list the user's keys instead of looking one up */
        bool has_key;
        struct ssh_key key; /* the key that the client offers, where has_key */
        char *const *chain; /* NULL, or the other command and its arguments, ended by NULL */
        bool foreign_key;   /* a key is offered that cannot be one of ours: a certificate, an unknown type */
};

enum arguments_result {
        ARGUMENTS_RUN,
        ARGUMENTS_HELP,
        ARGUMENTS_VERSION,
        ARGUMENTS_WRONG, /* `ret_why` says what */
};

/*
 * Options come before USER, so that nothing a login name begins with can be taken for one. `ret` points into `argv`.
 * `ret->chain` is set whenever there is a "--" with a command behind it, also on ARGUMENTS_WRONG: what is wrong with ours must not
 * take the other command's keys away.
 */
enum arguments_result arguments_parse(int argc, char *const argv[], struct arguments *ret, const char **ret_why);

#endif
