/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an envelope is signed by somebody who is believed. */
#ifndef EXC_VERIFY_H
#define EXC_VERIFY_H

#include <stdbool.h>

#include "agent/anchors.h"
#include "wire/envelope.h"
#include "wire/refusal.h"

/* Whether any signature could be good: Untrusted when there is no anchor. */
enum refusal verify_possible(const struct anchors *anchors, struct refused *ret_why);

/*
 * REFUSAL_NONE when one signature is that of one anchor, over the exact PAE; the algorithm is the anchor's. Otherwise
 * Untrusted (there is no anchor, or no signature) or BadSignature. `unsigned_ok`: an empty list of signatures will do here; one
 * that is not empty is verified all the same.
 */
enum refusal verify_envelope(const struct envelope *envelope, const struct anchors *anchors, bool unsigned_ok,
                             struct refused *ret_why);

#endif
