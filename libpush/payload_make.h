/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the payloads of push.md: the fields of a push or a revocation, checked by the guest's own rules, in an envelope
 * without a signature.
 */
#ifndef EXC_PAYLOAD_MAKE_H
#define EXC_PAYLOAD_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/source.h"
#include "common/ssh_key.h"
#include "wire/envelope.h"

#define AUDIENCE_PREFIX "exc:compute:instance/"

enum {
        PUSH_MADE_KEYS_MAX = 8,
        PUSH_MADE_SOURCES_MAX = 16,
        PUSH_MADE_CRIT_MAX = 16,
        PUSH_MADE_CONNECTIONS_MAX = 100,
        PUSH_MADE_CONNECTIONS_ANY = -1,
        VALID_MAX_S = 300, /* exp - iat at the most */
        VALID_CHALLENGE_MAX_S = 3600,
        INSTANCE_MAX = 256, /* bytes */
        LOGIN_MAX = 256,    /* bytes */
        PAYLOAD_WHY_MAX = 256,
};

/* For which guest, and when. */
struct payload_terms {
        const char *instance;  /* the guest's id, with "exc:compute:instance/" before it or without */
        int64_t iat, exp;      /* Unix seconds */
        const char *jti;       /* 16 to 128 printable ASCII characters; see libpush/token.h */
        const char *challenge; /* of this connection's latest Hello; NULL: the guest checks the time */
};

/* Zero is the guest's default everywhere, never the more permissive value. */
struct push_payload {
        struct payload_terms terms;
        const char *user;
        const struct ssh_key *keys[PUSH_MADE_KEYS_MAX];
        size_t n_keys;
        int64_t ttl;     /* seconds from receipt */
        int connections; /* SSH connections, or PUSH_MADE_CONNECTIONS_ANY until the keys expire */
        const struct source *sources;
        size_t n_sources;
        bool restricted;
        const char *principal;
        const char *request_id;
        const char *const *crit; /* names that the guest must understand */
        size_t n_crit;
};

/* Exactly one of the three. */
struct revoke_payload {
        struct payload_terms terms;
        const char *fingerprint;
        const char *user;
        bool all;
};

/*
 * 0, -EINVAL (push.md does not allow a field's value), -E2BIG or -ENOMEM. `ret_why` is then the cause as a phrase, with
 * nothing from the input in it.
 */
int push_payload_make(const struct push_payload *push, struct envelope *ret, char ret_why[static PAYLOAD_WHY_MAX]);
int revoke_payload_make(const struct revoke_payload *revoke, struct envelope *ret,
                        char ret_why[static PAYLOAD_WHY_MAX]);

#endif
