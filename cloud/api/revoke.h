/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocations (compute-api.md, Revoke): recorded in the database, which ends connects that are under way, and then sent. What
 * a guest has not taken is sent again in the background until its keys have ended.
 */
#ifndef EXC_REVOKE_H
#define EXC_REVOKE_H

#include <stdint.h>

#include "cloud/api/delivery.h"
#include "cloud/api/request.h"

enum revoke_outcome {
        REVOKE_DONE,
        REVOKE_UNREACHABLE, /* not taken yet; it is sent again */
        REVOKE_REFUSED,     /* by the signer or the guest, now and later */
};

/* "done" and so on. */
const char *revoke_outcome_name(enum revoke_outcome outcome);

/* Texts are the caller's. One of fingerprint and user, or neither: all. */
struct revoke_target {
        const char *instance, *host;
        const char *fingerprint, *user;
};

/*
 * Sends a revocation of one key at an instance that is recorded already, as by store_keypair_delete(). Nothing is refused:
 * an instance that is not registered is REVOKE_DONE.
 */
enum revoke_outcome revoke_recorded(struct request *request, const char *instance, const char *fingerprint);

/*
 * Revokes a key that its push has left, or may have left, at a guest until `keys_end_s`, and that nobody got: recorded at
 * once, and sent in the background.
 */
void revoke_later(struct request *request, const struct revoke_target *target, int64_t keys_end_s);

/* The same, sent at once, and in the background only where that fails. */
void revoke_at_once(struct request *request, const struct revoke_target *target, int64_t keys_end_s);

#endif
