/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, in reads of any size, against a model that has the whole stream before it.
 *
 * Input: reads, one after another. The first byte of each says how many bytes it brings: up to 127 that follow, or,
 * with the high bit set, all that there is room for but the other seven, each of them the one that follows: so short
 * inputs get to the edge at 16 KiB and past it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

#define ASSERT(condition) ((condition) ? (void)0 : abort())

enum { STREAM_MAX = 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

/* The messages of the stream, found by its bytes alone. */
struct model {
        const uint8_t *at; /* where the next message begins */
        size_t left;
        size_t seen; /* of these, bytes without a NUL */
};

/* The next message that ends within the bytes so far. */
static enum frame model_next(struct model *model, const uint8_t **ret_message, size_t *ret_length) {
        for (;;) {
                const uint8_t *start = model->at;
                size_t length;

                while (model->seen < model->left && start[model->seen] != '\0')
                        model->seen++;
                length = model->seen;
                if (length == model->left)
                        return FRAME_NONE;
                model->at += length + 1;
                model->left -= length + 1;
                model->seen = 0;
                if (length == 0)
                        continue;
                *ret_message = start;
                *ret_length = length;
                return length + 1 > FRAME_MAX ? FRAME_TOO_LONG : FRAME_MESSAGE;
        }
}

/* Takes messages until there is none, each as the model has it. */
static void compare(struct frames *frames, struct model *model) {
        enum frame result;

        do {
                size_t length = 0, expected_length = 0;
                const uint8_t *expected = NULL;
                char *message = NULL;

                result = frames_next(frames, &message, &length);
                ASSERT(result == model_next(model, &expected, &expected_length));
                if (result != FRAME_MESSAGE)
                        continue;
                ASSERT(length > 0 && length < FRAME_MAX);
                ASSERT(length == expected_length && memcmp(message, expected, length) == 0);
                ASSERT(!memchr(message, '\0', length) && message[length] == '\0');
        } while (result != FRAME_NONE);
        ASSERT(frames_half(frames) == (model->left > 0));
}

/* What one read brings, cut to `size`. Returns the bytes of input that say it, 0 at the end of the input. */
static size_t read_some(const uint8_t *input, size_t n, uint8_t *to, size_t size, size_t *ret_length) {
        size_t length;

        if (n < 2)
                return 0;
        if (input[0] & 0x80) {
                length = input[0] & 0x7f;
                *ret_length = length < size ? size - length : 0;
                memset(to, input[1], *ret_length);
                return 2;
        }
        length = input[0] < n - 1 ? input[0] : n - 1;
        *ret_length = length < size ? length : size;
        memcpy(to, input + 1, *ret_length);
        return 1 + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        struct frames *frames = calloc(1, sizeof(*frames));
        uint8_t *stream = malloc(STREAM_MAX);
        struct model model = {.at = stream};
        size_t used = 0, length, taken;

        ASSERT(frames && stream);
        while (used < STREAM_MAX - FRAME_MAX) {
                char *space = frames_space(frames, &length);

                ASSERT(length > 0 && length <= FRAME_MAX);
                taken = read_some(input, n, stream + used, length, &length);
                if (taken == 0)
                        break;
                memcpy(space, stream + used, length);
                frames_received(frames, length);
                model.left += length;
                used += length;
                input += taken;
                n -= taken;
                compare(frames, &model);
        }
        free(frames);
        free(stream);
        return 0;
}
