/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets that systemd holds, and which peers may use them:
 *
 *   admin socket, AF_UNIX    user 0
 *   host socket,  AF_UNIX    the relay's user
 *   host socket,  AF_VSOCK   CID 2, the host: any local process reaches a vsock listener through CID 1
 *   metadata socket, AF_UNIX the user of exc-instance-connect-metadata
 *
 * Each socket has slots, rates and name service lookups of its own, and the administrator's comes first in the event loop, so
 * that a flood from the host does not affect it. A peer of the wrong identity is closed before a byte is read, takes no slot
 * and does not keep the agent running. When all slots are taken, a connection that has been silent for LISTENER_GRACE_MS is
 * closed for the next one; until there is such a one, the next one waits, and those after it wait in the socket's queue.
 */
#ifndef EXC_LISTENER_H
#define EXC_LISTENER_H

#include <stddef.h>
#include <sys/types.h>

#include "agent/agent.h"
#include "agent/connection.h"

#define LISTENER_RELAY_USER "exc-instance-connect-relay"
#define LISTENER_METADATA_USER "exc-instance-connect-metadata"
#define LISTENER_NO_USER ((uid_t) - 1)

struct listener_peer {
        uint32_t id; /* user id, or CID on vsock */
};

/* Reads the identity from a connected socket, as the kernel recorded it. Negative errno. */
int listener_identify_peer(enum connection_channel channel, int fd, struct listener_peer *ret);

/*
 * Whether a peer may use the channel. `user`: the user id that the channel is for, of the relay's and of the metadata program's;
 * LISTENER_NO_USER where there is no such user.
 */
bool listener_allows_peer(enum connection_channel channel, const struct listener_peer *peer, uid_t user);

enum {
        LISTENERS_MAX = 8,
        LISTENER_CONNECTIONS_MAX = 16,
        LISTENER_GRACE_MS = 100,
};

struct listener {
        struct connection_home home;
        struct ratelimit budget;
        uid_t user; /* as of listener_allows_peer() */
        int fd;
        sd_event_source *io;
        sd_event_source *retry; /* while all slots are taken */
        struct connection *connections[LISTENER_CONNECTIONS_MAX];
        int next_fd; /* accepted, and waits for a slot; -EBADF: none */
};

struct listeners {
        size_t n;
        struct listener listener[LISTENERS_MAX];
};

/*
 * Takes the sockets that systemd passed (sd_listen_fds_with_names(3)): "admin", "host" and "metadata" for unix sockets, any name for
 * AF_VSOCK. Negative errno after a note that says what is wrong: none passed, an unknown name or kind.
 */
int listeners_start(struct listeners *listeners, struct agent *agent);
void listeners_stop(struct listeners *listeners);

#endif
