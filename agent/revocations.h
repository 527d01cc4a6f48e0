/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of revocations, so that a channel that held a push back cannot undo one: a push without a challenge must have
 * been signed later than each revocation that matches it (push.md, "Revocation payload").
 *
 * It lies in the store, state/revocations, and is small: when there is no room for one more, all of them become one that
 * matches every push, of the latest time among them. That refuses more than it must, and never less.
 */
#ifndef EXC_REVOCATIONS_H
#define EXC_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/payload.h"
#include "common/lifetime.h"

enum { REVOCATIONS_MAX = 256 };

struct remembered {
        struct revocation what;
        int64_t iat_s;
        int64_t forget_boot_ns; /* forgotten when both clocks are past: a push from before is too old by then */
};

struct revocations {
        int state_fd; /* the store's */
        size_t n;
        struct remembered *list; /* room for REVOCATIONS_MAX */
};

/* Negative errno; -EBADMSG when the file is not what was written here. */
int revocations_open(int state_fd, struct revocations *ret);
void revocations_close(struct revocations *revocations);

/* Negative errno: it is not remembered, and must not be answered as done. */
int revocations_add(struct revocations *revocations, const struct revocation *what, int64_t iat_s,
                    const struct instant *now);

/* Whether a push of that time, user (as it was asked for, and as the name service has it) and keys is too late. */
bool revocations_match(const struct revocations *revocations, const struct push *push, const char *user, int64_t iat_s);

#endif
