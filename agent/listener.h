/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets that systemd holds, and who is connected to them.
 *
 * Each socket has slots, rates and questions to the name service of its own, and the administrator's comes first in the event
 * loop, so that a flood on the host's side leaves it alone. A peer of the wrong identity is closed before a byte is read,
 * takes no slot and does not keep the agent up.
 * When all places are taken, a connection that has said nothing for a moment gives way to the next one; until there is
 * such a one, the next one waits, and those after it wait in the socket's queue.
 */
#ifndef EXC_LISTENER_H
#define EXC_LISTENER_H

#include <stddef.h>

#include "agent/agent.h"
#include "agent/connection.h"
#include "agent/peer.h"

enum {
        LISTENERS_MAX = 8,
        LISTENER_CONNECTIONS_MAX = 16,
        LISTENER_GRACE_MS = 100, /* silence after which a connection may have to give way */
};

struct listener {
        struct connection_home home;
        struct budget budget;
        uid_t relay; /* PEER_NO_USER: nobody may use a relay's socket */
        int fd;
        sd_event_source *io;
        sd_event_source *retry; /* while all places are taken */
        struct connection *connections[LISTENER_CONNECTIONS_MAX];
        int next_fd; /* accepted, and waits for a place; -EBADF: nobody does */
        struct peer next_peer;
};

struct listeners {
        size_t n;
        struct listener listener[LISTENERS_MAX];
};

/*
 * Takes the sockets that systemd passed (sd_listen_fds_with_names(3)): "admin" and "host" for unix sockets, any name for
 * AF_VSOCK. Negative errno after a note that says what is wrong: none passed, a name or a kind that is not known.
 */
int listeners_start(struct listeners *listeners, struct agent *agent);
void listeners_stop(struct listeners *listeners);

#endif
