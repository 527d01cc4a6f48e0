/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that the agent serves, on which socket and against which budget: in.excloud.InstanceConnect and org.varlink.service. */
#ifndef EXC_VARLINK_SERVICE_H
#define EXC_VARLINK_SERVICE_H

#include "agent/connection.h"

/*
 * Nanoseconds until the socket's budget has room for `connection->call`, of which one is then taken. Pushes and signed
 * revocations have a budget of their own, and are refused when it is used up.
 */
int64_t varlink_service_wait(struct connection *connection);

/* Carries out `connection->call`. Its last reply is given now or later, exactly once. */
void varlink_service_call(struct connection *connection);

#endif
