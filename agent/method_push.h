/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PushLocal and Push, step by step: rate and readiness, the request (agent/request_parse.h, agent/signed_request.h), jti and time,
 * the name service, policy, keys, store (agent/commit.h).
 */
#ifndef EXC_METHOD_PUSH_H
#define EXC_METHOD_PUSH_H

#include "agent/connection.h"

void method_push_local(struct connection *connection);
void method_push(struct connection *connection);

#endif
