/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_COMPUTE_ADMIN_TOKEN_H
#define EXC_COMPUTE_ADMIN_TOKEN_H

#include "cloud/admin/command.h"

/*
 * Makes a token of the account and prints it: alone on standard output, with what it is on standard error; or as JSON. It
 * can be read nowhere afterwards. EXIT_DONE, or an exit status when it has complained.
 */
int token_make_and_print(const struct options *options, struct store *store, const char *account);

#endif
