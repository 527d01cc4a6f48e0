/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a push that is allowed to a grant in the store, with the record of what is signed: pending, keys, done (push.md,
 * "Replay"). A repeat finds out how far a push came that was cut off anywhere.
 *
 * Of a signed push the record is read twice: by commit_recall() as it comes, since a repeat is held neither to the time nor to
 * the policy again; and by commit_push(), since other calls run while the name service is asked in between.
 */
#ifndef EXC_COMMIT_H
#define EXC_COMMIT_H

#include "agent/agent.h"
#include "agent/request_parse.h"
#include "agent/signed_request.h"

struct commit {
        const struct push *push; /* with its keys */
        const char *user;        /* the name that the name service has */
        struct instant received; /* when it came: its life begins here */
        bool synchronized;       /* the wall clock in `received` can be trusted */

        const struct signed_request *request; /* NULL: pushed by the administrator, and not recorded */
        enum replay_state seen;               /* what commit_recall() found as it came */
};

struct commit_result {
        int64_t left_s; /* seconds that the keys can still be used, rounded up; 0: no longer */
        bool duplicate; /* it was stored before, and nothing was changed */
};

/*
 * Whether a signed request came before. `ret`: REPLAY_FREE, it is new; REPLAY_PENDING, it was cut off; REPLAY_DONE, it was
 * carried out. REFUSAL_NONE; Replayed, another request has its jti; StorageFailure.
 */
enum refusal commit_recall(const struct agent *agent, const struct signed_request *request, enum replay_state *ret,
                           struct refused *ret_why);

/*
 * Stores the push, within the limits, and writes the audit events.
 * REFUSAL_NONE; Replayed; Expired (something that revokes it was signed later); StoreFull; StorageFailure.
 */
enum refusal commit_push(struct agent *agent, const struct commit *commit, struct commit_result *ret,
                         struct refused *ret_why);

/* Records a signed revocation that was carried out. REFUSAL_NONE, StoreFull, StorageFailure. */
enum refusal commit_revocation(struct agent *agent, const struct signed_request *request,
                               const struct instant *received, struct refused *ret_why);

#endif
