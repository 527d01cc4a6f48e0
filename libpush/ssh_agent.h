/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of draft-miller-ssh-agent, for one key pair. It lists its key and signs with it; to everything else
 * (adding, removing, locking, extensions) it answers SSH_AGENT_FAILURE.
 */
#ifndef EXC_SSH_AGENT_H
#define EXC_SSH_AGENT_H

#include "common/bytes.h"
#include "libpush/key_pair.h"

enum {
        SSH_AGENT_MESSAGE_MAX = 256 * 1024, /* bytes of a request without its length, as in OpenSSH */
        SSH_AGENT_ANSWER_MAX = 256,         /* bytes of any answer with its length */
};

enum ssh_agent_frame {
        SSH_AGENT_NONE, /* no whole message yet */
        SSH_AGENT_MESSAGE,
        SSH_AGENT_BAD, /* length 0 or too long: the stream cannot be parsed further */
};

/*
 * Takes the next message, without its length, from what a peer sent. SSH_AGENT_NONE leaves `from` as it was; `ret_need`
 * is then the number of bytes needed for the next step.
 */
enum ssh_agent_frame ssh_agent_next(struct bytes *from, struct bytes *ret_message, size_t *ret_need);

/*
 * Writes the whole answer to `message`. `to` must have SSH_AGENT_ANSWER_MAX bytes left. Whether the answer is a signature.
 */
bool ssh_agent_answer(const struct key_pair *pair, struct bytes message, struct writer *to);

#endif
