/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of in.excloud.InstanceConnect and org.varlink.service. */
#ifndef EXC_METHODS_H
#define EXC_METHODS_H

#include "agent/connection.h"

/* Carries out `connection->call`. A reply is given now or later, and exactly one last one. */
void methods_call(struct connection *connection);

#endif
