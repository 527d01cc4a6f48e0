/* SPDX-License-Identifier: Apache-2.0 */
/* A push, as a plain value: what somebody wants to be let in, with what, for how long. */
#ifndef EXC_PUSH_H
#define EXC_PUSH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/replay.h"
#include "common/grant.h"
#include "common/store.h"
#include "wire/refusal.h"

enum {
        PUSH_KEYS_MAX = 8,
        PUSH_LABEL_CHARACTERS_MAX = 256,
        PUSH_DEFAULT_CONNECTIONS = 1,
};

struct push {
        char user[GRANT_USER_MAX]; /* as the peer wrote it */
        size_t n_keys;
        struct store_key keys[PUSH_KEYS_MAX];
        struct refused rejected_key; /* the first key that is not taken; REFUSAL_NONE when all are */
        int64_t ttl_s;               /* 0: the default */
        uint8_t connections;
        bool restricted;
        uint8_t n_sources;
        struct source sources[GRANT_SOURCES_MAX];
        char principal[GRANT_LABEL_MAX];
        char request_id[GRANT_LABEL_MAX];
        char id[STORE_ID_MAX]; /* the identity of the push, the grant's name in the store */

        /* Of a signed push only: */
        bool is_signed;
        uint8_t jti_hash[REPLAY_HASH_SIZE];
        uint8_t pae_hash[REPLAY_HASH_SIZE]; /* the identity in bytes */
        int64_t iat_s;
        int64_t exp_s;
        bool by_clock; /* it was timed by the wall clock, not by a challenge */
        bool resumed;  /* it had been cut off, and whether it is of now was not asked again */
};

/*
 * Takes the parameters of PushLocal. Its identity is made up: each such push is a grant of its own.
 * REFUSAL_NONE, or `ret_why` is filled: InvalidPayload with the field.
 */
enum refusal push_from_local(json_t *parameters, struct push *ret, struct refused *ret_why);

/*
 * Whether every key is taken: KeyRejected with the index of the first that is not, or StorageFailure. Keys are looked at when
 * the push is taken in, but this is asked last, after who may be let in at all.
 */
enum refusal push_check_keys(const struct push *push, struct refused *ret_why);

/*
 * The members that a local and a signed push have in common: user, keys, ttl, connections, source, restrict, principal,
 * requestId. Looks at no others. `ret` must be all zeros.
 */
enum refusal push_take_fields(json_t *object, struct push *ret, struct refused *ret_why);

#endif
