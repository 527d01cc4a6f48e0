/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of pushes and revocations: each jti that was accepted, so that none is accepted twice.
 *
 * 1. It lies in the store, state/pushes, as records of a fixed size, and so outlives the agent. What is kept of a jti is its
 *    SHA-256, and that of the push's PAE. The file begins with the time of its own birth: what was signed before that may
 *    have been accepted by a memory that is gone (the store was mounted again, the container restarted), so freshness is
 *    bounded by it (agent/freshness.h).
 * 2. A record is first pending, with the life of the keys, then the keys are stored, then it is done. Whoever finds it pending
 *    finishes it with that very life. A record is written by one write within one page: a kill leaves all of it or nothing.
 * 3. A record is forgotten when the push could not be accepted again anyway: push.md, "Replay". When REPLAY_MAX are remembered,
 *    the next push is refused, and nothing is forgotten early.
 * 4. Records have their room from the start: a full file system stops neither an update nor a revocation, for which
 *    REPLAY_RESERVED records are kept free of pushes.
 */
#ifndef EXC_REPLAY_H
#define EXC_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/lifetime.h"

enum {
        REPLAY_MAX = 65536,
        REPLAY_RESERVED = 64, /* of these, for revocations alone */
        REPLAY_HASH_SIZE = 32,
};

enum replay_state {
        REPLAY_FREE,
        REPLAY_PENDING,
        REPLAY_DONE,
};

struct replay_record {
        enum replay_state state;
        uint8_t jti[REPLAY_HASH_SIZE];
        uint8_t pae[REPLAY_HASH_SIZE];
        struct lifetime life;   /* of the keys; all zeros for a revocation */
        int64_t forget_wall_ns; /* forgotten only when both clocks are past these */
        int64_t forget_boot_ns;
};

struct replay {
        int fd;
        int64_t birth_boot_ns; /* CLOCK_BOOTTIME when the memory was made */
        uint32_t n_slots;      /* records in the file, free ones among them */
        uint32_t n_free;
        uint32_t next; /* where the search for a free one goes on */
        uint32_t *
                index; /* slot + 1 by hash of jti, open addressing; 0: empty. An entry may be of a record that is gone */
        uint32_t index_size;
        uint32_t index_used;
};

#define REPLAY_INIT {.fd = -EBADF}

/*
 * Opens the memory below the store's state directory. One that is not there, or is of a version before births were recorded, is
 * made, with the birth `boot_ns` (CLOCK_BOOTTIME now). Negative errno; -EBADMSG when the file is of another kind, owner or
 * size than what was written here, or was born in the future: part of it is lost then.
 */
int replay_open(int state_fd, int64_t boot_ns, struct replay *ret);
void replay_close(struct replay *replay);

/* The record of a jti and where it lies. -ENOENT: it is not remembered. */
int replay_find(const struct replay *replay, const uint8_t jti[static REPLAY_HASH_SIZE], struct replay_record *ret,
                uint32_t *ret_slot);

/* Remembers one more. -ENOSPC: the memory is full at `now`, or the file system is, and for a push the reserve is not used. */
int replay_add(struct replay *replay, const struct replay_record *record, const struct instant *now,
               uint32_t *ret_slot);

int replay_set_done(struct replay *replay, uint32_t slot);

/* Forgets a record of which nothing was stored. */
int replay_drop(struct replay *replay, uint32_t slot);

/*
 * Ends all pending pushes, so that a repeat does not store their keys after all: something was revoked since. Negative
 * errno.
 */
int replay_void_pending(struct replay *replay);

#endif
