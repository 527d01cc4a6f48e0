/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sshd has room for one AuthorizedKeysCommand. Where a host has another one already, ours runs first and then becomes it.
 */
#ifndef EXC_CHAIN_H
#define EXC_CHAIN_H

#include "authkeys-helper/arguments.h"

/*
 * Runs `own` in a child, with a deadline of its own. If it printed a line for the offered key, prints that and exits 0: sshd asks
 * about one key, and the other command's failure would take ours away. Otherwise, whatever became of ours, executes the
 * other command as the user it ran as before. Does not return.
 *
 * `own` writes to the descriptor it is given and returns; `context` is its own.
 */
_Noreturn void chain_run(const struct arguments *asked, void (*own)(void *context, int out_fd), void *context);

/* Becomes the other command. Does not return: it exits with 1 or 127 where that cannot be done. */
_Noreturn void chain_other(const struct arguments *asked);

#endif
