/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection, and whether he may be there. Decided before a byte is read.
 *
 *   admin socket, AF_UNIX    user 0
 *   host socket,  AF_UNIX    the relay's user
 *   host socket,  AF_VSOCK   CID 2, the host: any local process reaches a vsock listener through CID 1
 */
#ifndef EXC_PEER_H
#define EXC_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RELAY_USER "exc-instance-connect-relay"

enum channel {
        CHANNEL_ADMIN, /* the administrator on this machine */
        CHANNEL_RELAY, /* a unix socket that the virtio-serial relay connects to */
        CHANNEL_VSOCK,
};

struct peer {
        uint32_t id; /* user id, or CID on vsock */
};

#define PEER_NO_USER ((uid_t) - 1)

/* Whether a peer of this identity may use the channel. `relay`: the relay's user id, PEER_NO_USER where there is none. */
bool peer_allowed(enum channel channel, const struct peer *peer, uid_t relay);

/* Reads the identity from a connected socket, as the kernel recorded it. Negative errno. */
int peer_identify(enum channel channel, int fd, struct peer *ret);

#endif
