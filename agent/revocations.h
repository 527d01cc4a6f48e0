/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of revocations, so that a channel that held a push back cannot undo one: a push without a challenge must have
 * been signed later than each revocation that matches it (push.md, "Revocation payload").
 *
 * 1. It lies in the store, state/revocations, in records of a fixed size whose room is taken when the file is made: a full
 *    file system keeps no revocation from being remembered. It belongs to the memory of pushes that has the same birth.
 * 2. The time of a revocation is that of its receipt where the clock was synchronized then. Where it was not, it is `iat`, and
 *    at most REVOCATION_AHEAD_MAX_S after the receipt, by the clock that the guest has when a push is compared with it: a
 *    push that is timed by the clock is only accepted once that is synchronized.
 * 3. When there is no room for one more, all of them become one that matches every push, of the latest time among them. That
 *    refuses more than it must, and never less.
 */
#ifndef EXC_REVOCATIONS_H
#define EXC_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/request_parse.h"
#include "common/lifetime.h"

enum {
        REVOCATIONS_MAX = 256,
        REVOCATION_AHEAD_MAX_S = 300,
};

struct remembered {
        bool used; /* false: the record is free */
        struct revocation what;
        int64_t iat_s;
        struct instant received;
        bool synchronized; /* the wall clock in `received` could be trusted */
};

struct revocations {
        int fd;
        struct remembered *list; /* REVOCATIONS_MAX, each where its record is in the file */
};

#define REVOCATIONS_INIT {.fd = -EBADF}

/*
 * Opens the memory that belongs to the pushes of that birth (agent/replay.h); one that is not there, or belongs to others, is
 * made. Negative errno; -EBADMSG when the file is not what was written here.
 */
int revocations_open(int state_fd, int64_t birth_boot_ns, struct revocations *ret);
void revocations_close(struct revocations *revocations);

/* Negative errno: it is not remembered beyond the end of this agent, and must not be answered as done. */
int revocations_add(struct revocations *revocations, const struct revocation *what, int64_t iat_s,
                    const struct instant *received, bool synchronized);

/*
 * Whether a push of that time, user (as the push has it, and as the name service has it) and keys is too late, at `now` by a
 * clock that is synchronized.
 */
bool revocations_match(const struct revocations *revocations, const struct push *push, const char *user, int64_t iat_s,
                       const struct instant *now);

#endif
