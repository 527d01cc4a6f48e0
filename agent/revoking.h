/* SPDX-License-Identifier: Apache-2.0 */
/* From a revocation to keys that are gone. */
#ifndef EXC_REVOKING_H
#define EXC_REVOKING_H

#include "agent/agent.h"
#include "agent/connection.h"

/*
 * Removes the keys of `fingerprint` (as sshd writes it), of `user`, of both, or, with neither, all. `ret_revoked`: how many live
 * ones went. REFUSAL_NONE, InvalidPayload or StorageFailure.
 */
enum refusal revoke_keys(struct agent *agent, const char *fingerprint, const char *user, int *ret_revoked,
                         struct refused *ret_why);

/* RevokeLocal. */
void revoke_local(struct connection *connection);

#endif
