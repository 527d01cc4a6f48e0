/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/peer.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

bool peer_allowed(enum channel channel, const struct peer *peer, uid_t relay) {
        switch (channel) {
        case CHANNEL_ADMIN:
                return peer->id == 0;
        case CHANNEL_RELAY:
                return relay != PEER_NO_USER && peer->id == relay;
        case CHANNEL_VSOCK:
                return peer->id == VMADDR_CID_HOST;
        }
        return false;
}

static int peer_cid(int fd, struct peer *ret) {
        struct sockaddr_vm address = {0};
        socklen_t size = sizeof(address);

        if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
                return -errno;
        if (size < sizeof(address) || address.svm_family != AF_VSOCK)
                return -EAFNOSUPPORT;
        ret->id = address.svm_cid;
        return 0;
}

int peer_identify(enum channel channel, int fd, struct peer *ret) {
        struct ucred credentials;
        socklen_t size = sizeof(credentials);

        if (channel == CHANNEL_VSOCK)
                return peer_cid(fd, ret);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return -errno;
        if (size != sizeof(credentials))
                return -EINVAL;
        ret->id = credentials.uid;
        return 0;
}
