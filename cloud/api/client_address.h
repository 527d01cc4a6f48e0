/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a client: the peer's, or what a proxy says in X-Forwarded-For. Each proxy appends the address of its own
 * peer, so only the last element is that of the one that is trusted; all before it are the client's words.
 */
#ifndef EXC_API_CLIENT_ADDRESS_H
#define EXC_API_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "cloud/api/request.h"

/* The canonical text of an IP literal; mapped IPv4 is IPv4. False for anything else: a name, a port, brackets, a zone. */
bool client_address_parse(const char *text, char ret[static REQUEST_ADDRESS_MAX]);

/* The last element of the last X-Forwarded-For field. */
bool client_address_forwarded(const char *value, char ret[static REQUEST_ADDRESS_MAX]);

/* Of a connection's peer. "" for a unix socket. */
void client_address_peer(const struct sockaddr_storage *peer, char ret[static REQUEST_ADDRESS_MAX]);

/* Whether a listening or peer address is of this machine alone: 127.0.0.0/8, ::1 or a unix socket. */
bool client_address_local(const struct sockaddr_storage *address);

/*
 * What limits count together: an IPv4 address, or the /64 of an IPv6 one, since a client has at least that many.
 */
void client_address_group(const char *address, char ret[static REQUEST_ADDRESS_MAX]);

#endif
