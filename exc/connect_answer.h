/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of POST /compute/instance/connect (compute-api.md, Connect), as plain values for ssh's command line and files.
 * The server may be hostile or broken: what it says becomes arguments of ssh and lines of known_hosts, so each member is
 * checked before any is used, and compared with what was asked for. Unknown members are ignored.
 */
#ifndef EXC_CONNECT_ANSWER_H
#define EXC_CONNECT_ANSWER_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ssh_key.h"
#include "libpush/key_pair.h"
#include "wire/fingerprint.h"
#include "wire/refusal.h"
#include "wire/vm_id.h"

#define CONNECT_HOST_ALIAS "exc-vm-" /* and the VM's id */

enum {
        CONNECT_USER_MAX = 256 + 1, /* bytes, with the NUL */
        CONNECT_REQUEST_ID_MAX = 128 + 1,
        CONNECT_HOST_KEYS_MAX = 16,
        CONNECT_CONNECTIONS_MAX = 100,
        CONNECT_PORT = 22, /* where the answer has none */
};

/* In the order in which they are tried. */
enum connect_address {
        CONNECT_PUBLIC_IPV4,
        CONNECT_PRIVATE_IPV4,
        CONNECT_IPV6,
        CONNECT_ADDRESSES_MAX,
};

/* "public_ipv4" and so on. */
const char *connect_address_name(enum connect_address which);

struct connect_asked {
        const char *vm_id;
        const struct ssh_key *key; /* NULL: the server makes the pair */
};

struct connect_answer {
        char vm_id[VM_ID_MAX];
        char user[CONNECT_USER_MAX]; /* does not begin with '-', and has no control character */
        char fingerprint[FINGERPRINT_MAX];
        struct ssh_key key;
        struct key_pair pair; /* without a private half unless the server made it; key_pair_wipe() */
        int64_t expires_at;   /* Unix seconds */
        int64_t connections;
        size_t n_host_keys;
        struct ssh_key host_keys[CONNECT_HOST_KEYS_MAX];
        bool host_keys_changed;
        char address[CONNECT_ADDRESSES_MAX][INET6_ADDRSTRLEN]; /* as inet_ntop(3) writes them; "": none */
        int64_t port;
        bool tunnel;
        char request_id[CONNECT_REQUEST_ID_MAX]; /* printable ASCII; "": none */
};

/*
 * Fills `ret`, which the caller wipes whatever the result. False: `ret_why` has the member at fault and what was expected;
 * the text is safe on a terminal.
 */
bool connect_answer_take(json_t *object, const struct connect_asked *asked, struct connect_answer *ret,
                         struct refused *ret_why);

/* Wipes the private half where there is one. */
void connect_answer_wipe(struct connect_answer *answer);

#endif
