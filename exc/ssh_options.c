/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/ssh_options.h"

#include "exc/key_grant.h"

const struct cli_option exc_ssh_options[] = {
        {.name = "server-key",
         .take = cli_take_flag,
         .offset = offsetof(struct options, server_key),
         .help = "use a key pair that the server makes; default: one that is made here"},
        {.name = "address",
         .value = "WHICH",
         .take = key_grant_take_address,
         .offset = offsetof(struct options, address),
         .expected = "public, private, ipv6 or an IP address",
         .completes = "public private ipv6",
         .help = "public, private, ipv6 or an IP address; default: the first that answers, in this order"},
        {.name = NULL},
};
