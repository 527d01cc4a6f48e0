/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/freshness.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>

/* In base64url (RFC 4648 section 5), without padding. */
bool freshness_make_challenge(struct freshness_challenge *ret, int64_t boot_ns) {
        uint8_t raw[16];

        if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
                return false;
        base64_encode(raw, sizeof(raw), ret->text);
        ret->text[strcspn(ret->text, "=")] = '\0';
        for (char *c = ret->text; *c; c++)
                *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        ret->given_boot_ns = boot_ns;
        return true;
}

static enum refusal check_challenge(const struct terms *terms, struct freshness_challenge *challenge,
                                    const struct instant *now, struct refused *ret_why) {
        bool matches = challenge->text[0] != '\0' && strcmp(challenge->text, terms->challenge) == 0;

        if (matches) {
                challenge->text[0] = '\0';
                if (now->boot_ns - challenge->given_boot_ns <= FRESHNESS_CHALLENGE_AGE_MAX_S * NS_PER_S)
                        return REFUSAL_NONE;
        }
        return refuse(ret_why, REFUSAL_STALE_CHALLENGE,
                      "challenge: not that of the last Hello on this connection, used before, or older than %d s; "
                      "call Hello and sign the new one",
                      FRESHNESS_CHALLENGE_AGE_MAX_S);
}

/* In seconds: iat and exp can be beyond the range of nanoseconds. */
static enum refusal check_clock(const struct terms *terms, const struct freshness *at, struct refused *ret_why) {
        int64_t now_s = at->now.wall_ns / NS_PER_S, from_s = terms->iat_s - FRESHNESS_SKEW_S;
        int64_t age_ns = at->now.boot_ns - at->birth_boot_ns;
        int64_t birth_s = (at->now.wall_ns - age_ns + NS_PER_S - 1) / NS_PER_S;

        if (!at->synchronized)
                return refuse(ret_why, REFUSAL_CLOCK_UNSYNCHRONIZED,
                              "clock: not synchronized; sign the challenge of a Hello, which needs no clock");
        if (now_s < from_s)
                return refuse(ret_why, REFUSAL_NOT_YET_VALID, "iat is in the future");
        if (now_s >= terms->exp_s)
                return refuse(ret_why, REFUSAL_EXPIRED, "exp is in the past");
        /* A memory that is lost may have accepted it: that of another boot, or of a store that was unmounted since. */
        if (from_s < birth_s)
                return refuse(ret_why, REFUSAL_EXPIRED,
                              "iat is too early: this guest remembers pushes since %" PRId64
                              " s ago, and iat must be %d s later; sign the challenge of a Hello",
                              age_ns / NS_PER_S, FRESHNESS_SKEW_S);
        return REFUSAL_NONE;
}

enum refusal freshness_check(const struct terms *terms, struct freshness_challenge *challenge,
                             const struct freshness *at, struct refused *ret_why) {
        return terms->has_challenge ? check_challenge(terms, challenge, &at->now, ret_why)
                                    : check_clock(terms, at, ret_why);
}

enum { ERROR_MAX_US = 5 * 1000 * 1000 };

/* STA_UNSYNC is not used: chronyd without rtcsync leaves it set. systemd uses the maximum error, too. */
bool freshness_clock_synchronized(void) {
        struct timex state = {.modes = 0}; /* reads only */

        return adjtimex(&state) >= 0 && state.maxerror < ERROR_MAX_US;
}
