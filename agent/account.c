/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/account.h"

#include <errno.h>
#include <string.h>

#include "agent/nss.h"

static void on_answer(void *context, const struct nss_answer *answer) {
        struct account_query *query = context;
        bool found = answer->outcome == NSS_FOUND;

        query->connection->waiting = NULL; /* the caller's again */
        query->connection->lookup = NULL;
        query->known(query, found && strcmp(answer->user, query->user) != 0 ? answer->user : NULL,
                     found || answer->outcome == NSS_NO_SUCH_USER ? NULL : answer->message);
}

void account_ask(struct account_query *query) {
        struct connection *connection = query->connection;
        int r;

        r = nss_lookup(connection->home->budget->nss, query->user, NULL, 0, on_answer, query, &connection->lookup);
        if (r >= 0)
                connection->waiting = query; /* transferred until on_answer() */
        else if (r == -EINVAL)               /* empty or too long: no account has that name */
                query->known(query, NULL, NULL);
        else
                query->known(query, NULL, strerror(-r));
}
