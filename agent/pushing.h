/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a push's way: who it is for, whether he may, and into the store. */
#ifndef EXC_PUSHING_H
#define EXC_PUSHING_H

#include "agent/connection.h"
#include "agent/push.h"
#include "agent/storing.h"

/* A push on its way, while the name service is asked. */
struct pushing {
        struct connection *connection;
        const char *method; /* for the journal */
        struct push push;
};

/* PushLocal. */
void push_local(struct connection *connection);

/* A new one, for the current call. NULL without memory: the call was refused then. */
struct pushing *pushing_new(struct connection *connection, const char *method);

/* Each takes `pushing` over: goes on with what was taken in, or replies to the call. */
void pushing_go_on(struct pushing *pushing);
void pushing_reply(struct pushing *pushing, const char *user, const struct stored *stored);
void pushing_refuse(struct pushing *pushing, const struct refused *why);

#endif
