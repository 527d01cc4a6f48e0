/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of accepted pushes and revocations, so that none is accepted twice (push.md, "Replay").
 *
 * 1. The file state/pushes in the store has records of a fixed size, and outlives the agent. A record holds the SHA-256
 *    of the jti and that of the PAE. The file begins with its birth, the time when it was made: what was signed before
 *    may have been accepted by a memory that is lost (the store was unmounted, the container restarted), so freshness
 *    is bounded by it (agent/freshness.h).
 * 2. A record is added as pending, with the lifetime of the keys; then the keys are stored; then it is done. A push
 *    that is found pending is finished with the recorded lifetime. A record is written by one write(2) within one page,
 *    so a kill leaves all of it or nothing.
 * 3. A record is forgotten when the push could not be accepted any more. When REPLAY_MAX are remembered, the next push
 *    is refused: none is forgotten early.
 * 4. Space for the records is allocated in advance: a full file system stops neither an update nor a revocation, for
 *    which REPLAY_RESERVED slots are kept.
 */
#ifndef EXC_REPLAY_H
#define EXC_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/lifetime.h"

enum {
        REPLAY_MAX = 65536,
        REPLAY_RESERVED = 64, /* of these, for revocations only */
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
        struct lifetime life;   /* of the keys; all zeros: a revocation */
        int64_t forget_wall_ns; /* the record is forgotten when both clocks are past these */
        int64_t forget_boot_ns;
};

struct replay {
        int fd;
        int64_t birth_boot_ns; /* CLOCK_BOOTTIME when the memory was made */
        uint32_t n_slots;      /* records in the file, free ones included; a power of two */
        uint32_t n_free;
        uint32_t next; /* slot where the search for a free one continues */
        /* Open addressing by the hash of the jti: slot + 1, or 0 for empty. A slot may have been dropped since. */
        uint32_t *index;
        uint32_t index_size;
        uint32_t index_used;
};

#define REPLAY_INIT {.fd = -EBADF}

/*
 * Opens the memory in the store's state directory. A missing one, and one of a version without a birth, is made, with
 * the birth `boot_ns` (CLOCK_BOOTTIME, now). Negative errno; -EBADMSG: the file has another type, owner or size, or its
 * birth is in the future, so part of it is lost. The caller closes it.
 */
int replay_open(int state_fd, int64_t boot_ns, struct replay *ret);
void replay_close(struct replay *replay);

/* Finds the record of a jti, and its slot. -ENOENT: it is not remembered. Other negative errno: it may be. */
int replay_find(const struct replay *replay, const uint8_t jti[static REPLAY_HASH_SIZE], struct replay_record *ret,
                uint32_t *ret_slot);

/*
 * Adds a record, for which records that can be forgotten at `now` make room. -ENOSPC: the memory is full, or the file
 * system is; a push does not take a reserved slot. Other negative errno: nothing was added.
 */
int replay_add(struct replay *replay, const struct replay_record *record, const struct instant *now,
               uint32_t *ret_slot);

/* Negative errno. */
int replay_set_done(struct replay *replay, uint32_t slot);

/* Forgets a push of which nothing was stored. Negative errno. */
int replay_drop(struct replay *replay, uint32_t slot);

/* Ends all pending pushes, so that a repeat does not store their keys after a revocation. Negative errno. */
int replay_void_pending(struct replay *replay);

#endif
