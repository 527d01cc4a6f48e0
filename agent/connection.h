/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, from the first byte to the last: the varlink calls on it, and their replies.
 *
 * 1. Messages are taken one at a time, in order, and one in a turn of the event loop: the administrator's first, those of all
 *    host connections by turns. The next one is read when the reply to the one before has left, and carried out when the
 *    socket's budget has room for it; until then it waits, and what comes after it stays unread.
 * 2. A method replies at once or later; until it has, nothing more is read. A call is also carried out when the peer has
 *    disconnected meanwhile, but a push that signed this connection's challenge is not stored then (method_push.c).
 * 3. A message that is no call, or is too long, ends the connection; on the relay's it is dropped, since that stream outlives
 *    its peers.
 * 4. A peer that leaves a message half sent, or its reply unread, for CONNECTION_STALL_S is disconnected, and so is one that
 *    is silent for CONNECTION_IDLE_S.
 */
#ifndef EXC_CONNECTION_H
#define EXC_CONNECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/agent.h"
#include "agent/freshness.h"
#include "agent/nss.h"
#include "agent/ratelimit.h"
#include "wire/call.h"
#include "wire/frame.h"
#include "wire/refusal.h"
#include "wire/service.h"

enum {
        CONNECTION_STALL_S = 5,
        CONNECTION_IDLE_S = 30,
};

/*
 * Priorities in the event loop. Whatever the host sends keeps neither the administrator waiting, nor a signal, nor the end of a
 * key; and nothing of the administrator's beyond RATELIMIT_CALLS_PER_S (agent/ratelimit.h) keeps those waiting.
 */
enum {
        CONNECTION_PRIORITY_ADMIN = SD_EVENT_PRIORITY_IMPORTANT,
        CONNECTION_PRIORITY_HOST = SD_EVENT_PRIORITY_IDLE,
};

enum connection_channel {
        CONNECTION_ADMIN, /* the administrator on this machine */
        CONNECTION_RELAY, /* a unix socket that the virtio-serial relay connects to */
        CONNECTION_VSOCK,
        CONNECTION_METADATA, /* a unix socket that exc-instance-connect-metadata connects to */
};

struct connection;

/* Where a connection belongs, and what it calls. */
struct connection_home {
        struct agent *agent;
        enum connection_channel channel;
        int64_t priority;
        struct ratelimit *budget;
        /* Nanoseconds until the socket's budget has room for `connection->call`, which has no method if it is no call. */
        int64_t (*wait)(struct connection *connection);
        /* Carries out `connection->call`, and replies to it now or later. */
        void (*call)(struct connection *connection);
        void (*closed)(void *context, const struct connection *connection);
        void *context; /* of `closed` */
};

/* What was taken from the stream and waits for its turn. */
enum connection_next {
        CONNECTION_NEXT_NONE,
        CONNECTION_NEXT_CALL,
        CONNECTION_NEXT_MALFORMED,
        CONNECTION_NEXT_TOO_LONG,
};

struct connection {
        const struct connection_home *home;
        int fd;
        sd_event_source *io;
        sd_event_source *timer;
        sd_event_source *turn; /* of what is next */

        struct frames frames;
        bool drained; /* no whole message is in there */
        enum connection_next next;
        uint64_t next_usec; /* monotonic: not before; 0: at the next turn */
        struct call call;   /* the one that is next, or being carried out */
        bool busy;          /* its reply is not written yet */
        bool working;       /* inside connection_work(), which looks for more to do by itself */
        bool ended;         /* the peer will send nothing more */
        bool closing;       /* to be closed as soon as the replies have left */

        struct freshness_challenge challenge; /* of the latest Hello */

        struct nss_lookup *lookup; /* of connection_look_up() */
        nss_done looked_up;
        void *lookup_context;

        char *output;
        size_t output_length;
        size_t output_sent;

        int64_t silent_since_ns; /* monotonic: last byte received or sent */
        int64_t half_since_ns;   /* 0: no message is half received */
};

/* Takes ownership of `fd`, also on failure. Negative errno. */
int connection_new(const struct connection_home *home, int fd, struct connection **ret);

/* Whether it waits for the peer's next message, with nothing received of it. */
bool connection_silent(const struct connection *connection);

/* Whether envelopes need no signature here: the administrator's, and with Trust=channel those of the host too. */
bool connection_unsigned_ok(const struct connection *connection);

void connection_close(struct connection *connection);

/*
 * Asks the name service about `user` and groups for the current call (nss_lookup()). `done` is called once: from the event loop,
 * or at once where the name service cannot be asked, with NSS_FAILURE, or with NSS_NO_SUCH_USER for a name that no account can
 * have. `context` comes from malloc(); the connection owns it until then, and frees it when it is closed before.
 */
void connection_look_up(struct connection *connection, const char *user, char *const *groups, size_t n_groups,
                        nss_done done, void *context);

/*
 * The reply to the current call. Each takes ownership of `parameters`. The connection may be gone afterwards, unless the call
 * came from connection_work(), that is, from a method that has not returned yet.
 */
void connection_reply(struct connection *connection, json_t *parameters);
void connection_refuse(struct connection *connection, const struct refused *why);
void connection_invalid_parameter(struct connection *connection, const char *parameter);
void connection_error(struct connection *connection, const char *error, json_t *parameters);

/* One of several replies, not the last. For calls with `more` alone. */
void connection_reply_part(struct connection *connection, json_t *parameters);

#endif
