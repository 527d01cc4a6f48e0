/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RevokeLocal and Revoke. Keys are dropped first and the revocation is remembered second, so that one that cannot be remembered
 * has still dropped what was there; and first under the user's name as it was asked for, since the name service may be slow.
 */
#ifndef EXC_METHOD_REVOKE_H
#define EXC_METHOD_REVOKE_H

#include "agent/connection.h"

void method_revoke_local(struct connection *connection);
void method_revoke(struct connection *connection);

#endif
