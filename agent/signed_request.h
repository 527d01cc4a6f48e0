/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an envelope to a value that can be believed, in push.md's order: envelope, signature, payload type, schema, crit, aud.
 * What needs more than the request itself comes after: its jti (agent/commit.h), its time (agent/freshness.h) and the policy.
 */
#ifndef EXC_SIGNED_REQUEST_H
#define EXC_SIGNED_REQUEST_H

#include <jansson.h>

#include "agent/agent.h"
#include "agent/replay.h"
#include "agent/request_parse.h"

/* What a signed push and a signed revocation have in common. */
struct signed_request {
        struct terms terms;
        uint8_t jti_hash[REPLAY_HASH_SIZE];
        uint8_t pae_hash[REPLAY_HASH_SIZE]; /* its identity */
        unsigned n_verified;                /* verifications that it took; set whatever the result */
};

/*
 * `envelope`: the parameter as it came; NULL where there is none. `unsigned_ok`: an empty list of signatures will do.
 * REFUSAL_NONE; Untrusted, BadSignature, InvalidPayload, WrongInstance; StorageFailure without a digest.
 * A push gets its identity, and its ttl is cut to what the request itself is good for.
 */
enum refusal signed_request_push(struct agent *agent, json_t *envelope, bool unsigned_ok, struct signed_request *ret,
                                 struct push *ret_push, struct refused *ret_why);
enum refusal signed_request_revocation(struct agent *agent, json_t *envelope, bool unsigned_ok,
                                       struct signed_request *ret, struct revocation *ret_revocation,
                                       struct refused *ret_why);

#endif
