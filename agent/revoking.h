/* SPDX-License-Identifier: Apache-2.0 */
/* From a revocation to keys that are gone. */
#ifndef EXC_REVOKING_H
#define EXC_REVOKING_H

#include "agent/account.h"
#include "agent/payload.h"
#include "agent/replay.h"

/*
 * A revocation on its way. Keys are dropped first and the revocation is remembered second, so that one that cannot be remembered
 * has still dropped what was there; and first under the user's name as it was asked for, since the name service may be slow.
 */
struct revoking {
        struct account_query query;                   /* `user` is NULL where the revocation names none */
        const char *method;                           /* for the journal */
        char fingerprint[STORE_FINGERPRINT_NAME_MAX]; /* a name in the store; "": of all keys */
        int revoked;                                  /* live keys that went */
        struct refused why;                           /* the first thing that failed, or REFUSAL_NONE */

        /* Of a signed one only: */
        bool is_signed;
        struct revocation what;
        struct terms terms;
        struct replay_record record;
        struct instant received;
        bool synchronized; /* the wall clock in `received` could be trusted */
};

/* One for the current call, all zeros but for the connection. NULL without memory: the call was refused then. */
struct revoking *revoking_new(struct connection *connection, const char *method);

/* Each takes `revoking` over: carries out what was taken in, or replies to the call. */
void revoking_go_on(struct revoking *revoking);
void revoking_refuse(struct revoking *revoking);

/* RevokeLocal. */
void revoke_local(struct connection *connection);

#endif
