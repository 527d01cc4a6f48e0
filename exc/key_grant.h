/* SPDX-License-Identifier: Apache-2.0 */
/* A key for one connection to a VM: made here, or with --server-key by the server, and pushed into the VM. */
#ifndef EXC_KEY_GRANT_H
#define EXC_KEY_GRANT_H

#include "exc/connect_answer.h"
#include "exc/ssh_command.h"
#include "exc/target.h"

struct key_grant {
        struct target target;
        struct key_pair pair; /* without a private half where the user's own key was sent */
        struct connect_answer answer;
        struct ssh_route route;
};

struct key_grant_want {
        const struct ssh_key *own_key; /* the user's; NULL: one for this connection */
        bool server_key;
        const char *save_private; /* a file for the server's private key; NULL: none */
        int patience_s;           /* how long to ask again where the API says "too many requests"; 0: not at all */
};

/* Keeps private keys out of core dumps and away from other programs of this user: before the first key is made. */
void key_grant_protect(void);

/*
 * EXIT_DONE, or a status when it is reported: also for changed host keys, for a VM that shows none, and for one without the
 * address that is asked for. `ret->target` is filled by the caller; key_grant_end() in any case.
 */
int key_grant_get(const struct options *options, struct api *api, const struct key_grant_want *want,
                  struct key_grant *ret);

/* Wipes the keys. An unused key ends by itself, about a minute after it was made. */
void key_grant_end(struct key_grant *grant);

/* --address. */
bool key_grant_take_address(const struct cli_option *option, const char *text, void *member);

#endif
