/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an envelope holds, once its signature is good: the strict schema of push.md. Everything is looked at before anything is
 * believed; names that are not known are passed over unless `crit` has them.
 */
#ifndef EXC_PAYLOAD_H
#define EXC_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "agent/push.h"
#include "wire/refusal.h"

enum {
        PAYLOAD_DEPTH_MAX = 4,
        PAYLOAD_TEXT_MAX = 512 + 1, /* bytes of aud, with the NUL */
        PAYLOAD_JTI_MIN = 16,
        PAYLOAD_JTI_MAX = 128,
        PAYLOAD_CHALLENGE_MAX = 128 + 1, /* with the NUL */
        PAYLOAD_CRIT_MAX = 16,
        PAYLOAD_WINDOW_MAX_S = 300,
        PAYLOAD_WINDOW_CHALLENGE_MAX_S = 3600,
};

/* For which guest and which time an envelope is good. */
struct terms {
        char aud[PAYLOAD_TEXT_MAX]; /* cut where it is longer: it then equals no guest's */
        int64_t iat_s;              /* Unix seconds */
        int64_t exp_s;
        char jti[PAYLOAD_JTI_MAX + 1];
        bool has_challenge;
        char challenge[PAYLOAD_CHALLENGE_MAX]; /* cut likewise */
};

/* What a revocation is about: exactly one of these. */
struct revocation {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX]; /* a name in the store, or "" */
        char user[GRANT_USER_MAX];                    /* or "" */
        bool all;
};

/* REFUSAL_NONE, or InvalidPayload with the field. What is wrong with a key is kept in the push (push_check_keys). */
enum refusal payload_take_push(const uint8_t *text, size_t length, struct terms *ret_terms, struct push *ret_push,
                               struct refused *ret_why);
enum refusal payload_take_revocation(const uint8_t *text, size_t length, struct terms *ret_terms,
                                     struct revocation *ret_revocation, struct refused *ret_why);

#endif
