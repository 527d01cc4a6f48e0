/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that is connected, and the envelope that it is to get. */
#ifndef EXC_SUBMIT_H
#define EXC_SUBMIT_H

#include "control/ask.h"
#include "control/signing.h"

/*
 * Makes or reads the envelope of a push, or of a revocation where `keys` is NULL, and connects to the guest. Where it
 * has a challenge, the guest is asked for that first; else it is signed before, so that nobody waits for the signer.
 * Both are the caller's to close and to drop, whatever the exit status.
 */
int submit_prepare(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
                   struct guest *ret_guest, json_t **ret_envelope);

#endif
