/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on a byte stream, as in varlink: each ends with a NUL, and has at most 16 KiB with it.
 *
 * A NUL on its own is not a message and is skipped, so that a peer can end an unfinished message of an earlier one. A
 * message that is too long is dropped up to its NUL, and reported once, at that NUL.
 */
#ifndef EXC_FRAME_H
#define EXC_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum { FRAME_MAX = 16 * 1024 }; /* bytes, with the NUL */

struct frames {
        char data[FRAME_MAX];
        size_t used;   /* bytes in `data` */
        size_t taken;  /* of these, bytes of messages that were returned */
        bool dropping; /* inside a message that is too long */
};

enum frame {
        FRAME_NONE,     /* no whole message yet */
        FRAME_MESSAGE,  /* one message */
        FRAME_TOO_LONG, /* the end of one that was too long */
};

/* The buffer for the next bytes, and its size, which is never 0 after frames_next() returned FRAME_NONE. */
char *frames_space(struct frames *frames, size_t *ret_size);
void frames_received(struct frames *frames, size_t n);

/*
 * The next message, which stays valid until the next call of any function here. It has no NUL in it and one after it,
 * which `ret_length` does not count.
 */
enum frame frames_next(struct frames *frames, char **ret_message, size_t *ret_length);

/* Whether part of a message has been received. */
bool frames_half(const struct frames *frames);

#endif
