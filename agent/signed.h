/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Push and Revoke: the first half of their way, from an envelope to a value that can be believed. In push.md's order:
 * signature, payload type, schema, crit, aud, jti, challenge or clock. What comes after is agent/pushing.h and
 * agent/revoking.h.
 */
#ifndef EXC_SIGNED_H
#define EXC_SIGNED_H

#include "agent/connection.h"

void signed_push(struct connection *connection);
void signed_revoke(struct connection *connection);

#endif
