/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of in.excloud.InstanceConnect and org.varlink.service. */
#ifndef EXC_METHODS_H
#define EXC_METHODS_H

#include "agent/connection.h"

/*
 * Nanoseconds until the socket's budget has room for `connection->call`, of which one is then taken. Pushes and revocations have
 * a budget of their own, and are refused when it is used up.
 */
int64_t methods_wait(struct connection *connection);

/* Carries out `connection->call`. A reply is given now or later, and exactly one last one. */
void methods_call(struct connection *connection);

#endif
