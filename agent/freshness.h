/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freshness of an envelope: by a challenge, which needs no clock, or by the wall clock (push.md, "Order of checks,
 * freshness and expiry").
 */
#ifndef EXC_FRESHNESS_H
#define EXC_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/request_parse.h"
#include "common/base64.h"
#include "common/lifetime.h"
#include "wire/refusal.h"

enum {
        FRESHNESS_CHALLENGE_MAX = BASE64_LENGTH(16) + 1, /* with the NUL */
        FRESHNESS_CHALLENGE_AGE_MAX_S = 120,
        FRESHNESS_SKEW_S = 30, /* how far a signer's clock may be ahead of the guest's */
};

/* The challenge of the last Hello on a connection. */
struct freshness_challenge {
        char text[FRESHNESS_CHALLENGE_MAX]; /* base64url; "": none, or used */
        int64_t given_boot_ns;
};

/*
 * Makes a new one, of 128 random bits, at CLOCK_BOOTTIME `boot_ns`. False when getrandom(2) fails; `ret` is unchanged
 * then.
 */
bool freshness_make_challenge(struct freshness_challenge *ret, int64_t boot_ns);

/* The guest's time, which that of an envelope is compared with. */
struct freshness {
        struct instant now;
        bool synchronized;     /* the wall clock in `now` */
        int64_t birth_boot_ns; /* CLOCK_BOOTTIME when the memory of pushes was made (agent/replay.h) */
};

/*
 * REFUSAL_NONE or StaleChallenge, ClockUnsynchronized, NotYetValid, Expired. A matching challenge is used up, also when
 * the result is a refusal.
 */
enum refusal freshness_check(const struct terms *terms, struct freshness_challenge *challenge,
                             const struct freshness *at, struct refused *ret_why);

/*
 * Whether the wall clock is synchronized: its maximum error is below 5 s (adjtimex(2)). Until it is set, the kernel
 * reports 16 s.
 */
bool freshness_clock_synchronized(void);

#endif
