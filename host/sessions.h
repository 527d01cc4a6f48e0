/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to guests that said Hello and wait for the Deliver that uses their challenge, each under a handle. One is
 * held for SESSIONS_HOLD_MS at most; a thread closes those whose time is over. On a channel that takes one connection
 * at a time (serial) it keeps the guest's turn, so that the next call waits for it.
 */
#ifndef EXC_SESSIONS_H
#define EXC_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/instances.h"
#include "libpush/guest.h"
#include "libpush/token.h"

enum {
        SESSIONS_HOLD_MS = 10 * 1000,
        SESSIONS_MAX = 256,
        SESSIONS_GUEST_MAX = 16, /* of one guest, so that it alone cannot fill the table */
};

/* A guest's open connection, and whether its owner also has the guest's turn. */
struct session {
        struct instance *instance; /* a reference */
        struct guest guest;
        bool has_turn;
};

/* A session without connection, which takes ownership of the reference; NULL without memory. */
struct session *session_new(struct instance *instance);

/* Closes the connection, returns the turn, drops the reference. */
void session_end(struct instances *instances, struct session *session);

struct sessions;

/* Starts the thread. `instances` must outlive it. Negative errno. */
int sessions_start(struct instances *instances, struct sessions **ret);
void sessions_stop(struct sessions *sessions);

/*
 * Holds the session under a new handle, and takes ownership of it. -EBUSY: there are too many; -EIO: no random bytes;
 * the session is then still the caller's.
 */
int sessions_hold(struct sessions *sessions, struct session *session, char ret_handle[static TOKEN_MAX]);

/* Takes the session out, for its one use; NULL when there is none of that handle and instance. */
struct session *sessions_take(struct sessions *sessions, const char *handle, const struct instance *instance);

#endif
