/* SPDX-License-Identifier: Apache-2.0 */
/* The names of an account, for commands that compare a name with one that the agent or the journal has. */
#ifndef EXC_ADMIN_ACCOUNT_H
#define EXC_ADMIN_ACCOUNT_H

#include <stdbool.h>

#include "common/grant.h"

/*
 * The account's own name (pw_name) where the name service has one for `user`, and it is another. False where there is none, or
 * where the name service fails or does not answer in ACCOUNT_TIMEOUT_MS: `user` is then all that is known.
 */
enum { ACCOUNT_TIMEOUT_MS = 5000 };
bool account_other_name(const char *user, char ret[static GRANT_USER_MAX]);

#endif
