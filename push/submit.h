/* SPDX-License-Identifier: Apache-2.0 */
/* An envelope on its way to a guest, until that answers. */
#ifndef EXC_SUBMIT_H
#define EXC_SUBMIT_H

#include "push/ask.h"
#include "push/signing.h"

/* Sends an envelope to a guest that is connected, and takes its answer: guest_push() or guest_revoke(). */
typedef enum client_result (*submit_call)(void *context, struct guest *guest, json_t *envelope);

/*
 * Makes or reads the envelope of a push, or of a revocation where `keys` is NULL, and sends it. Where it has a challenge,
 * the guest is asked for that first; else it is signed before, so that nobody waits for the signer.
 *
 * With --wait, a guest that is not reached is tried again, with the very same envelope: what arrived before is then a
 * repeat, which changes nothing. Only when the guest says that the envelope's challenge is of another connection, so
 * that this envelope is not stored and never will be (the connections before are closed), is another one made. So there
 * is one grant at most.
 *
 * An exit status; what went wrong is printed. `ret_guest` is the caller's to close in any case; its refusal says what
 * the guest said where the status is EXIT_REFUSED or more.
 */
int submit(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
           submit_call call, void *context, struct guest *ret_guest);

#endif
