/* SPDX-License-Identifier: Apache-2.0 */
/* sshd has one AuthorizedKeysCommand. Where a host has another one already, exc-authorized-keys runs before it. */
#ifndef EXC_CHAIN_H
#define EXC_CHAIN_H

#include <stdint.h>

#include "authkeys-helper/arguments.h"
#include "authkeys-helper/identity.h"

/*
 * Runs `helper`, the path of exc-authorized-keys, with the arguments in `asked` and the identity of the connection. If
 * it prints a line for the offered key within `deadline_ns`, prints that and exits 0: sshd asks about one key, and a
 * failure of the other command would discard it. Otherwise, whatever the helper did, executes the other command,
 * `asked->chain`, as its user. Does not return.
 */
_Noreturn void chain_run(const struct arguments *asked, const char *helper, const struct caller *caller,
                         int64_t deadline_ns);

/* Executes the other command. Does not return: exits with 1 where it may not be run, with 127 where it cannot, after an event. */
_Noreturn void chain_other(const struct arguments *asked, const struct caller *caller);

#endif
