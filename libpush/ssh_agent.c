/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/ssh_agent.h"

/* draft-miller-ssh-agent section 6.1 (message numbers). */
enum {
        AGENT_FAILURE = 5,
        AGENTC_REQUEST_IDENTITIES = 11,
        AGENT_IDENTITIES_ANSWER = 12,
        AGENTC_SIGN_REQUEST = 13,
        AGENT_SIGN_RESPONSE = 14,
};

enum { LENGTH_SIZE = 4, BODY_MAX = SSH_AGENT_ANSWER_MAX - LENGTH_SIZE };

#define COMMENT "exc-push"

enum ssh_agent_frame ssh_agent_next(struct bytes *from, struct bytes *ret_message, size_t *ret_need) {
        struct bytes ahead = *from;
        uint32_t length;

        if (!bytes_u32(&ahead, &length)) {
                *ret_need = LENGTH_SIZE;
                return SSH_AGENT_NONE;
        }
        if (length == 0 || length > SSH_AGENT_MESSAGE_MAX)
                return SSH_AGENT_BAD;
        if (!bytes_slice(&ahead, length, ret_message)) {
                *ret_need = LENGTH_SIZE + length;
                return SSH_AGENT_NONE;
        }
        *from = ahead;
        return SSH_AGENT_MESSAGE;
}

static bool identities(const struct key_pair *pair, struct bytes request, struct writer *to) {
        if (request.left > 0)
                return false;
        writer_u8(to, AGENT_IDENTITIES_ANSWER);
        writer_u32(to, 1);
        writer_string(to, pair->public_half.blob, pair->public_half.blob_length);
        writer_text(to, COMMENT);
        return true;
}

static bool sign(const struct key_pair *pair, struct bytes request, struct writer *to) {
        const struct ssh_key *key = &pair->public_half;
        uint8_t raw[KEY_PAIR_SIGNATURE_SIZE], signature[BODY_MAX];
        struct writer encoded = {.data = signature, .size = sizeof(signature)};
        struct bytes blob, text;
        uint32_t flags;

        /* The flags there are choose among the hashes of RSA: an agent that cannot do what one asks must fail. */
        if (!bytes_string(&request, &blob) || !bytes_string(&request, &text) || !bytes_u32(&request, &flags) ||
            request.left > 0 || flags != 0 || !bytes_equal(blob, key->blob, key->blob_length) ||
            key_pair_sign(pair, text.at, text.left, raw) < 0)
                return false;
        writer_text(&encoded, ssh_key_type_name(key->type)); /* RFC 8709 section 6 */
        writer_string(&encoded, raw, sizeof(raw));
        writer_u8(to, AGENT_SIGN_RESPONSE);
        writer_string(to, signature, encoded.used);
        return !encoded.full;
}

bool ssh_agent_answer(const struct key_pair *pair, struct bytes message, struct writer *to) {
        uint8_t body[BODY_MAX], number = 0;
        struct writer answer = {.data = body, .size = sizeof(body)};
        bool ok = false;

        (void)bytes_u8(&message, &number);
        if (number == AGENTC_REQUEST_IDENTITIES)
                ok = identities(pair, message, &answer);
        else if (number == AGENTC_SIGN_REQUEST)
                ok = sign(pair, message, &answer);
        if (!ok || answer.full) {
                answer.used = 0;
                answer.full = false;
                writer_u8(&answer, AGENT_FAILURE);
        }
        writer_string(to, body, answer.used);
        return body[0] == AGENT_SIGN_RESPONSE;
}
