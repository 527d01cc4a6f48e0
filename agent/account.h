/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account by any of its names. Keys are stored under the name that the name service returns (pw_name), which need not be
 * the one that was asked for: SSSD adds its default domain, Active Directory ignores case. A call that names a user means
 * that account, and asks here for its name.
 *
 * A user who was deleted meanwhile has the name that was asked for alone, under which keys may still be stored.
 */
#ifndef EXC_ACCOUNT_H
#define EXC_ACCOUNT_H

#include "agent/connection.h"

/* The first member of what a call has to remember while the name service is asked. */
struct account_query {
        struct connection *connection;
        const char *user; /* as it was asked for; outlives the query */
        /*
         * Called once. `other`: the account's own name where that is another than `user`, else NULL. `failure`: NULL, or why the
         * name service could not say. Both are gone when it returns.
         */
        void (*known)(struct account_query *query, const char *other, const char *failure);
};

/*
 * Asks for the account of `query->user`, for the call that the connection is busy with. `known` is called from the event loop,
 * or at once where nothing can be asked. Until then `query` is the connection's, which frees it when it is closed before.
 */
void account_ask(struct account_query *query);

#endif
