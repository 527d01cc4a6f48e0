/* SPDX-License-Identifier: Apache-2.0 */
/* The names of an account, for commands that compare a name with one that the agent or the journal has. */
#ifndef EXC_ADMIN_ACCOUNT_H
#define EXC_ADMIN_ACCOUNT_H

#include "common/grant.h"

enum { ACCOUNT_TIMEOUT_MS = 5000, ACCOUNT_NAMES = 64 };

/*
 * The account's own name (pw_name) where the name service has one for `user`, and it is another. 1: that is `ret`. 0: there is
 * none. -ETIMEDOUT, -EIO or another negative errno: the name service does not say (probe.h); `user` is then all that is known.
 */
int account_other_name(const char *user, char ret[static GRANT_USER_MAX]);

/* Answers that were given, so that a name is asked for once; the oldest are forgotten. {.n = 0} to begin with. */
struct account_names {
        struct account_answer {
                char user[GRANT_USER_MAX], own[GRANT_USER_MAX];
        } answers[ACCOUNT_NAMES];
        size_t n; /* ever */
        int failure;
};

/*
 * The account's own name, or `user` where it has no other, or nothing better is known. After the name service failed once it is
 * not asked again: `failure` is the negative errno. The result is valid until ACCOUNT_NAMES others were asked for.
 */
const char *account_own_name(struct account_names *names, const char *user);

#endif
