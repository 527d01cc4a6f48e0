/* SPDX-License-Identifier: Apache-2.0 */
/* Hands to the agent what the metadata service has. */
#ifndef EXC_METADATA_HANDOVER_H
#define EXC_METADATA_HANDOVER_H

#include "metadata/answer.h"

#define HANDOVER_SOCKET "/run/exc-instance-connect/metadata.sock"

enum { HANDOVER_WHY_MAX = 640 };

enum handover {
        HANDOVER_DONE,
        HANDOVER_NOT_REACHED, /* the agent */
        HANDOVER_REFUSED,     /* by the agent */
};

/*
 * Each is one call to the agent at `socket`. `ret_why`: the cause, in printable ASCII. Of the keys, one that the agent rejects is
 * left out, and the others are handed over: `ret_n_rejected`.
 */
enum handover handover_keys(const char *socket, const struct answer_keys *keys, size_t *ret_n_rejected,
                            char ret_why[static HANDOVER_WHY_MAX]);
enum handover handover_instance_id(const char *socket, const char *id, char ret_why[static HANDOVER_WHY_MAX]);

#endif
