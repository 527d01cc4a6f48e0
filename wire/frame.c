/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/frame.h"

#include <assert.h>
#include <string.h>

char *frames_space(struct frames *frames, size_t *ret_size) {
        *ret_size = sizeof(frames->data) - frames->used;
        return frames->data + frames->used;
}

void frames_received(struct frames *frames, size_t n) {
        assert(n <= sizeof(frames->data) - frames->used);
        frames->used += n;
}

/* Moves the beginning of a message, which is all that is left, to the front. */
static void compact(struct frames *frames) {
        size_t left = frames->used - frames->taken;

        /* Full and still no NUL: it is too long. */
        if (left == sizeof(frames->data))
                frames->dropping = true;
        if (frames->dropping)
                left = 0;
        memmove(frames->data, frames->data + frames->taken, left);
        frames->used = left;
        frames->taken = 0;
}

enum frame frames_next(struct frames *frames, char **ret_message, size_t *ret_length) {
        for (;;) {
                char *start = frames->data + frames->taken;
                char *end = memchr(start, '\0', frames->used - frames->taken);
                size_t length;

                if (!end) {
                        compact(frames);
                        return FRAME_NONE;
                }
                length = (size_t)(end - start);
                frames->taken += length + 1;
                if (frames->dropping) {
                        frames->dropping = false;
                        return FRAME_TOO_LONG;
                }
                if (length == 0)
                        continue;
                *ret_message = start;
                *ret_length = length;
                return FRAME_MESSAGE;
        }
}

bool frames_half(const struct frames *frames) {
        if (frames->used == frames->taken)
                return frames->dropping;
        return frames->data[frames->used - 1] != '\0';
}
