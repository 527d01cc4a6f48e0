/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as plain values: what a push wants stored, what a revocation drops, and of what is signed, for which guest and for
 * when. From the parameters of PushLocal and from payloads whose signature is good (push.md); each by a table of its members.
 */
#ifndef EXC_REQUEST_PARSE_H
#define EXC_REQUEST_PARSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/grant.h"
#include "common/store.h"
#include "wire/frame.h"
#include "wire/refusal.h"

enum {
        PUSH_KEYS_MAX = 8,
        LAUNCH_KEYS_MAX = 16, /* what a push holds at most, too */
        PUSH_LABEL_CHARACTERS_MAX = 256,
        PUSH_DEFAULT_CONNECTIONS = 1,

        PAYLOAD_DEPTH_MAX = 4,
        PAYLOAD_AUD_MAX = 512 + 1, /* bytes, with the NUL */
        PAYLOAD_JTI_MIN = 16,
        PAYLOAD_JTI_MAX = 128,
        PAYLOAD_CHALLENGE_MAX = 128 + 1, /* bytes, with the NUL */
        PAYLOAD_CRIT_MAX = 16,
        PAYLOAD_WINDOW_MAX_S = 300,
        PAYLOAD_WINDOW_CHALLENGE_MAX_S = 3600,
};

/* For which guest and which time a signed request is good. */
struct terms {
        char aud[PAYLOAD_AUD_MAX]; /* cut where it is longer: it then equals no guest's */
        int64_t iat_s;             /* Unix seconds */
        int64_t exp_s;
        char jti[PAYLOAD_JTI_MAX + 1];
        bool has_challenge;
        char challenge[PAYLOAD_CHALLENGE_MAX]; /* cut likewise */
};

struct push {
        char user[GRANT_USER_MAX]; /* as the peer wrote it */
        size_t n_keys;
        char key_texts[FRAME_MAX];              /* n_keys texts, each with its NUL; nobody has looked at them yet */
        struct store_key keys[LAUNCH_KEYS_MAX]; /* the same, after request_parse_keys() */
        int64_t ttl_s;                          /* seconds; 0: the default */
        int64_t connections;                    /* 0 to GRANT_CONNECTIONS_MAX */
        bool restricted;
        size_t n_sources;
        struct source sources[GRANT_SOURCES_MAX];
        char principal[GRANT_LABEL_MAX];
        char request_id[GRANT_LABEL_MAX];
        char id[STORE_ID_MAX]; /* its identity, the name of its grant in the store */
};

/* What a signed revocation drops: exactly one of these. */
struct revocation {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX]; /* a name in the store, or "" */
        char user[GRANT_USER_MAX];                    /* or "" */
        bool all;
};

/*
 * Takes the parameters of PushLocal. Each such push is a grant of its own, with a random identity. REFUSAL_NONE; InvalidPayload
 * with the field; StorageFailure without random bytes.
 */
enum refusal request_parse_push_local(json_t *parameters, struct push *ret, struct refused *ret_why);

/* Takes the parameters of SetLaunchKeys: keys alone. REFUSAL_NONE, or InvalidPayload with the field. */
enum refusal request_parse_launch(json_t *parameters, struct push *ret, struct refused *ret_why);

/* A random identity. False: the kernel has no random bytes. */
bool request_random_id(char ret[static STORE_ID_MAX]);

/* Take a payload, whose identity is not in it: `id` stays "". REFUSAL_NONE, or InvalidPayload with the field. */
enum refusal request_parse_push(const uint8_t *payload, size_t length, struct terms *ret_terms, struct push *ret,
                                struct refused *ret_why);
enum refusal request_parse_revocation(const uint8_t *payload, size_t length, struct terms *ret_terms,
                                      struct revocation *ret, struct refused *ret_why);

/*
 * Parses the texts of the keys into `keys`: a step of its own, since push.md refuses a key only after the user is let in.
 * REFUSAL_NONE; KeyRejected with the index of the first key at fault; StorageFailure without a digest.
 */
enum refusal request_parse_keys(struct push *push, struct refused *ret_why);

#endif
