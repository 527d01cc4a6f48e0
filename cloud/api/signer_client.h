/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-signer as its caller sees it (interface/in.excloud.Signer.varlink). What it answers must be what was asked for: an
 * envelope of the right type, the fingerprints of the keys that were sent, times in order.
 */
#ifndef EXC_SIGNER_CLIENT_H
#define EXC_SIGNER_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/api/varlink_pool.h"
#include "common/source.h"
#include "common/ssh_key.h"
#include "wire/fingerprint.h"

enum {
        SIGNER_SOURCES_MAX = 16,
        SIGNER_MESSAGE_MAX = 512,
        SIGNER_FIELD_MAX = 64,
};

/* For whom and why, of each signature. Texts are the caller's. */
struct signer_reason {
        const char *principal, *request_id;
        const char *audit_head;
};

struct signer_push {
        const char *instance, *user;
        const struct ssh_key *key;
        int64_t ttl_s;       /* 0: as the signer has it */
        int64_t connections; /* 0: no limit */
        const struct source *sources;
        size_t n_sources; /* at most SIGNER_SOURCES_MAX; 0: from anywhere */
        bool restricted;
        struct signer_reason reason;
};

/* One of fingerprint and user, or neither: all. */
struct signer_revoke {
        const char *instance;
        const char *fingerprint, *user;
        struct signer_reason reason;
};

struct signer_signed {
        json_t *envelope; /* the caller drops it */
        int64_t iat_s, exp_s;
        int64_t ttl_s; /* of a push: at most so long from receipt */
};

enum signer_result {
        SIGNER_OK,
        SIGNER_DENIED,       /* by the signer's own configuration */
        SIGNER_INVALID,      /* a field that the signer does not take */
        SIGNER_RATE_LIMITED, /* try again in retry_after_ms */
        SIGNER_UNAVAILABLE,  /* not reached, has no key or no log, or does not answer as its interface has it */
};

/* Why there is no signature. Texts of the signer's are checked UTF-8 without NUL, cut at their sizes. */
struct signer_fault {
        char message[SIGNER_MESSAGE_MAX];
        char field[SIGNER_FIELD_MAX];
        int64_t retry_after_ms;
};

/* `challenge`: of the guest's latest Hello, or NULL. */
enum signer_result signer_client_push(struct varlink_pool *signer, const struct signer_push *push,
                                      const char *challenge, int timeout_ms, struct signer_signed *ret,
                                      struct signer_fault *ret_fault);
enum signer_result signer_client_revoke(struct varlink_pool *signer, const struct signer_revoke *revoke,
                                        const char *challenge, int timeout_ms, struct signer_signed *ret,
                                        struct signer_fault *ret_fault);

#endif
