/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a guest's channel: KIND:REST.
 *
 *   unix:PATH         a unix stream socket
 *   vsock:CID[:PORT]  AF_VSOCK, the guest's CID; the port defaults to 842
 *   hybrid:PATH[:PORT]  the unix socket by which Firecracker and Cloud Hypervisor reach a guest's vsock ports: CONNECT
 *                       PORT, answered by OK and a number (Firecracker, docs/vsock.md)
 *   serial:PATH       the socket of a chardev (QEMU, libvirt) that a virtio-serial port is attached to: a stream that
 *                     outlives its clients, and takes one at a time
 */
#ifndef EXC_ADDRESS_H
#define EXC_ADDRESS_H

#include <stdint.h>
#include <sys/un.h>

#include "wire/client.h"

enum { ADDRESS_VSOCK_PORT = 842 };

enum address_kind {
        ADDRESS_UNIX,
        ADDRESS_VSOCK,
        ADDRESS_HYBRID,
        ADDRESS_SERIAL,
        ADDRESS_KIND_MAX_,
};

struct address {
        enum address_kind kind;
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* but ADDRESS_VSOCK */
        uint32_t cid;                                              /* ADDRESS_VSOCK */
        uint32_t port;                                             /* ADDRESS_VSOCK and ADDRESS_HYBRID */
};

/* NULL, or what is wrong with `text`, as a phrase; `ret` is then untouched. */
const char *address_from_text(const char *text, struct address *ret);

/*
 * As client_connect(): `ret` must be closed whatever the result. For ADDRESS_HYBRID also -ENOTCONN: the VMM
 * closed the connection, since nothing in the guest listens on that port; and CLIENT_PROTOCOL where CONNECT is not
 * answered with OK and a number.
 */
enum client_result address_connect(const struct address *address, int timeout_ms, struct client *ret);

#endif
