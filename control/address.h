/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a guest is reached: KIND:REST, one line in a table for each kind.
 *
 *   unix:PATH         a unix stream socket
 *   vsock:CID[:PORT]  AF_VSOCK, the guest's CID; the port is 842 where none is given
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
        ADDRESS_KIND_MAX_,
};

struct address {
        enum address_kind kind;
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* ADDRESS_UNIX */
        uint32_t cid;                                              /* ADDRESS_VSOCK; this and the next */
        uint32_t port;
};

/* NULL, or a phrase that says what is wrong with `text`; `ret` is then untouched. */
const char *address_from_text(const char *text, struct address *ret);

/* As client_connect(): `ret` must be closed whatever the result. */
enum client_result address_connect(const struct address *address, int timeout_ms, struct client *ret);

#endif
