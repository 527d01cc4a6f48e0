/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a push through the agent: what is asked, who it is for, whether he may, and into the store. */
#ifndef EXC_PUSHING_H
#define EXC_PUSHING_H

#include "agent/connection.h"

/* PushLocal. */
void push_local(struct connection *connection);

#endif
