/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, from the first byte to the last.
 *
 * 1. Messages are taken one at a time, in order, and one in a turn of the event loop: those of the administrator come first,
 *    those of all host connections by turns. The next one is read when the reply to the one before has left, and carried out
 *    when the socket's budget has room for it; until then it waits, and what comes after it stays unread.
 * 2. A method replies at once or later; until it has, nothing more is read. What was received is carried out also when
 *    the peer has gone meanwhile, but a push that signed this connection's challenge is not stored then (pushing.c).
 * 3. A message that is no call, or is too long, ends the connection; on the relay's it is dropped, since that stream outlives
 *    its peers.
 * 4. A peer that leaves a message half sent, or its reply unread, for CONNECTION_STALL_S is dropped, and so is one that says
 *    nothing for CONNECTION_IDLE_S.
 */
#ifndef EXC_CONNECTION_H
#define EXC_CONNECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/agent.h"
#include "agent/call.h"
#include "agent/freshness.h"
#include "agent/peer.h"
#include "agent/ratelimit.h"
#include "wire/frame.h"
#include "wire/refusal.h"

enum {
        CONNECTION_STALL_S = 5,
        CONNECTION_IDLE_S = 30,
};

struct connection;

/*
 * Priorities in the event loop. What the host sends, and how much, must not keep the administrator waiting, nor a signal, nor the
 * end of a key; and nothing of the administrator's beyond CALLS_PER_S (agent/budget.h) keeps those waiting.
 */
enum {
        PRIORITY_ADMIN = SD_EVENT_PRIORITY_IMPORTANT,
        PRIORITY_HOST = SD_EVENT_PRIORITY_IDLE,
};

/* Where a connection belongs, and whom it tells. */
struct connection_home {
        struct agent *agent;
        enum channel channel;
        int64_t priority;
        struct budget *budget;
        /* Nanoseconds until the socket's budget has room for `connection->call`, which has no method if it is no call. */
        int64_t (*wait)(struct connection *connection);
        void (*call)(
                struct connection *connection); /* carries out `connection->call`, and replies to it now or later */
        void (*closed)(void *context, const struct connection *connection);
        void *context; /* of `closed` */
};

/* What was taken out of the stream and waits for its turn. */
enum next {
        NEXT_NONE,
        NEXT_CALL,
        NEXT_MALFORMED,
        NEXT_TOO_LONG,
};

struct connection {
        const struct connection_home *home;
        struct peer peer;
        int fd;
        sd_event_source *io;
        sd_event_source *timer;
        sd_event_source *turn; /* of what is next */

        struct frames frames;
        bool drained; /* no whole message is in there */
        enum next next;
        uint64_t next_usec; /* monotonic: not before; 0: at the next turn */
        struct call call;   /* the one that is next, or being carried out */
        bool busy;          /* its reply is not written yet */
        bool working;       /* inside connection_work(), which looks for more to do by itself */
        bool ended;         /* the peer will send nothing more */
        bool closing;       /* to be closed as soon as the replies have left */

        struct challenge challenge; /* of the latest Hello */

        /* While it is busy with the name service: given up when the connection is closed. */
        struct nss_lookup *lookup;
        void *waiting; /* freed then */

        char *output;
        size_t output_length;
        size_t output_sent;

        int64_t silent_since_ns; /* monotonic: last byte received or sent */
        int64_t half_since_ns;   /* 0: no message is half received */
};

/* Takes `fd` over, also on failure. Negative errno. */
int connection_new(const struct connection_home *home, int fd, const struct peer *peer, struct connection **ret);

/* Whether it waits for the peer's next message, with nothing received of it. */
bool connection_silent(const struct connection *connection);

void connection_close(struct connection *connection);

/*
 * The reply to the current call. Each takes `parameters` over. The connection may be gone afterwards, unless the call
 * came from connection_work(), that is, from a method that has not returned yet.
 */
void connection_reply(struct connection *connection, json_t *parameters);
void connection_refuse(struct connection *connection, const struct refused *why);
void connection_error(struct connection *connection, const char *error, json_t *parameters);

/* One of several replies, not the last. For calls with `more` alone. */
void connection_reply_part(struct connection *connection, json_t *parameters);

#endif
