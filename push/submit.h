/* SPDX-License-Identifier: Apache-2.0 */
/* Sends an envelope to a guest until the guest answers. */
#ifndef EXC_SUBMIT_H
#define EXC_SUBMIT_H

#include "push/ask.h"
#include "push/signing.h"

/* Sends an envelope on the guest's connection and stores the answer: guest_push() or guest_revoke(). */
typedef enum client_result (*submit_call)(void *context, struct guest *guest, json_t *envelope);

/*
 * Makes or reads the envelope of a push, or of a revocation where `keys` is NULL, and sends it. Where it has a
 * challenge, the guest is asked for it first; else it is signed before the connection is made, so that no connection
 * waits for the signer.
 *
 * With --wait, a guest that is not reached is tried again with the same envelope: if the first one arrived, the second
 * is a repeat, which changes nothing. Another envelope is made only when the guest answers that the challenge is of
 * another connection: then the first is not stored and never will be, since its connection is closed. So there is at
 * most one grant.
 *
 * Returns an exit status, with the error printed. The caller closes `ret_guest` in any case; it has the guest's refusal
 * where the status is EXIT_REFUSED or more.
 */
int submit(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
           submit_call call, void *context, struct guest *ret_guest);

#endif
