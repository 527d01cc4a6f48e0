/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of revocations, so that a channel that held a push back cannot undo one: a push without a challenge must
 * have been signed later than each revocation that matches it (push.md, "Revocation payload").
 *
 * 1. The file state/revocations in the store has records of a fixed size, whose space is allocated when the file is
 *    made: a full file system does not stop a revocation. It belongs to the memory of pushes with the same birth.
 * 2. The time of a revocation is that of its receipt if the clock was synchronized then. Else it is `iat`, at most
 *    REVOCATIONS_AHEAD_MAX_S after the receipt, by the clock at the time when a push is compared with it: a push that
 *    is timed by the clock is only accepted when that is synchronized.
 * 3. When there is no free record, all revocations are merged into one that matches every push, with the latest of
 *    their times. It refuses more pushes than the single ones, never fewer.
 */
#ifndef EXC_REVOCATIONS_H
#define EXC_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/request_parse.h"
#include "common/lifetime.h"

enum {
        REVOCATIONS_MAX = 256, /* records */
        REVOCATIONS_AHEAD_MAX_S = 300,
};

struct revocations_record {
        bool used; /* false: the record is free */
        struct revocation what;
        int64_t iat_s;
        struct instant received;
        bool synchronized; /* the wall clock in `received` */
};

struct revocations {
        int fd;
        struct revocations_record *list; /* REVOCATIONS_MAX, in the order of the file */
};

#define REVOCATIONS_INIT {.fd = -EBADF}

/*
 * Opens the memory that belongs to the pushes of that birth (agent/replay.h); a missing one, or that of another birth,
 * is made. Negative errno; -EBADMSG: the file is damaged. The caller closes it.
 */
int revocations_open(int state_fd, int64_t birth_boot_ns, struct revocations *ret);
void revocations_close(struct revocations *revocations);

/* Negative errno: this agent applies it, but it is not on file, so it must not be answered as done. */
int revocations_add(struct revocations *revocations, const struct revocation *what, int64_t iat_s,
                    const struct instant *received, bool synchronized);

/*
 * Whether a revocation matches a push that was signed at `iat_s`. `user`: the name service's name, compared besides the
 * push's own. `now`: of a synchronized clock.
 */
bool revocations_match(const struct revocations *revocations, const struct push *push, const char *user, int64_t iat_s,
                       const struct instant *now);

#endif
