/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an envelope is of now: by a challenge, which needs no clock, or by the wall clock (push.md, "Order of checks"). */
#ifndef EXC_FRESHNESS_H
#define EXC_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/request_parse.h"
#include "common/base64.h"
#include "common/lifetime.h"
#include "wire/refusal.h"

enum {
        CHALLENGE_MAX = BASE64_LENGTH(16) + 1, /* with the NUL */
        CHALLENGE_AGE_MAX_S = 120,
        FRESHNESS_SKEW_S = 30, /* a signer's clock may be ahead of ours by so much */
};

/* The challenge that the latest Hello on a connection gave out. */
struct challenge {
        char text[CHALLENGE_MAX]; /* "": none, or used up */
        int64_t given_boot_ns;
};

/* Makes a new one. False when the kernel gives no random bytes. */
bool challenge_make(struct challenge *ret, int64_t boot_ns);

/* What the time of an envelope is compared with. */
struct freshness {
        struct instant now;
        bool synchronized;     /* the wall clock in `now` can be trusted */
        int64_t birth_boot_ns; /* CLOCK_BOOTTIME since which pushes are remembered (agent/replay.h) */
};

/* REFUSAL_NONE or StaleChallenge, ClockUnsynchronized, NotYetValid, Expired. A challenge that fits is used up. */
enum refusal freshness_check(const struct terms *terms, struct challenge *challenge, const struct freshness *at,
                             struct refused *ret_why);

/* Whether the wall clock is synchronized: its maximum error is below 5 s (adjtimex(2)); at boot the kernel says 16 s. */
bool clock_synchronized(void);

#endif
