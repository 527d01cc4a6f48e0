/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a peer sends to the agent, cut into messages as the socket cuts them: each answer is one whole
 * message, a list of the one key, a signature that verifies, or a failure.
 *
 * Every string of 51 bytes that begins as an Ed25519 key's blob does is replaced by the agent's own, for no fuzzer
 * guesses it.
 */
#include <stdlib.h>
#include <string.h>

#include "libpush/ssh_agent.h"

#define ASSERT(condition) ((condition) ? (void)0 : abort())

enum { FAILURE = 5, IDENTITIES_ANSWER = 12, SIGN_RESPONSE = 14 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static struct key_pair pair;

static void put_own_key(uint8_t *bytes, size_t n) {
        static const uint8_t beginning[] = "\0\0\0\x33\0\0\0\013ssh-ed25519\0\0\0\040";
        size_t length = sizeof(beginning) - 1, blob_length = pair.public_half.blob_length;

        for (size_t i = 0; i + 4 + blob_length <= n; i++)
                if (memcmp(bytes + i, beginning, length) == 0)
                        memcpy(bytes + i + 4, pair.public_half.blob, blob_length);
}

static void check_signature(struct bytes body, struct bytes message) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        struct bytes signature, type, raw, blob, text;
        uint8_t number;

        ASSERT(bytes_u8(&message, &number) && bytes_string(&message, &blob) && bytes_string(&message, &text));
        ASSERT(bytes_string(&body, &signature) && body.left == 0);
        ASSERT(bytes_string(&signature, &type) && bytes_string(&signature, &raw) && signature.left == 0);
        ASSERT(bytes_equal(type, "ssh-ed25519", 11));
        ASSERT(context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pair.private_half) == 1);
        ASSERT(EVP_DigestVerify(context, raw.at, raw.left, text.at, text.left) == 1);
        EVP_MD_CTX_free(context);
}

static void check_answer(struct bytes message) {
        uint8_t answer[SSH_AGENT_ANSWER_MAX], number;
        bool is_signature;
        struct writer to = {.data = answer, .size = sizeof(answer)};
        struct bytes all, body;

        is_signature = ssh_agent_answer(&pair, message, &to);
        ASSERT(!to.full);
        all = (struct bytes){answer, to.used};
        ASSERT(bytes_string(&all, &body) && all.left == 0 && bytes_u8(&body, &number));
        ASSERT(is_signature == (number == SIGN_RESPONSE));
        switch (number) {
        case FAILURE:
                ASSERT(body.left == 0);
                break;
        case IDENTITIES_ANSWER:
                ASSERT(message.left == 1);
                break;
        case SIGN_RESPONSE:
                check_signature(body, message);
                break;
        default:
                abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        struct bytes rest, message;
        size_t need = 0;
        uint8_t *copy;

        if (!pair.private_half)
                ASSERT(key_pair_make(&pair) == 0);
        copy = malloc(n > 0 ? n : 1);
        ASSERT(copy);
        if (n > 0)
                memcpy(copy, input, n);
        put_own_key(copy, n);
        rest = (struct bytes){copy, n};
        for (;;) {
                size_t left = rest.left;
                enum ssh_agent_frame frame = ssh_agent_next(&rest, &message, &need);

                if (frame == SSH_AGENT_NONE) {
                        ASSERT(rest.left == left && need > left && need <= 4 + SSH_AGENT_MESSAGE_MAX);
                        break;
                }
                if (frame == SSH_AGENT_BAD)
                        break;
                ASSERT(message.left > 0 && rest.left + 4 + message.left == left);
                check_answer(message);
        }
        free(copy);
        return 0;
}
