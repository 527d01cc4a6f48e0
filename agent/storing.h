/* SPDX-License-Identifier: Apache-2.0 */
/* From an allowed push to a grant in the store. */
#ifndef EXC_STORING_H
#define EXC_STORING_H

#include "agent/agent.h"
#include "agent/push.h"

/* What came of it. */
struct stored {
        int64_t left_s; /* seconds that the keys have to live, 0: none */
        bool duplicate; /* it had been stored before, and nothing was changed */
};

/*
 * Stores the push for `user`, the name that the name service has, within the limits, and writes the audit events. A signed one
 * is remembered first, and a repeat of one that was cut off is finished with the life that was remembered.
 * REFUSAL_NONE, Replayed, Expired (something was revoked since it was signed), StoreFull or StorageFailure.
 */
enum refusal storing_push(struct agent *agent, const struct push *push, const char *user, struct stored *ret,
                          struct refused *ret_why);

/*
 * Whether a signed push is new. REPLAY_FREE: it is. REPLAY_PENDING: it was cut off. REPLAY_DONE: it was stored. Negative errno;
 * -EEXIST where another push has the same jti. `ret`, `ret_slot`: the record, unless it is new.
 */
int storing_recall(const struct agent *agent, const uint8_t jti_hash[static REPLAY_HASH_SIZE],
                   const uint8_t pae_hash[static REPLAY_HASH_SIZE], struct replay_record *ret, uint32_t *ret_slot);

/* The errors of storing_recall() as a refusal: Replayed, or StorageFailure. */
enum refusal storing_refuse_recall(int error, struct refused *ret_why);

/* Seconds that keys of this life have left, rounded up; 0: none. */
int64_t storing_left_s(const struct lifetime *life);

#endif
