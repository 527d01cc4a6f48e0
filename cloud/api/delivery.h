/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has a push or a revocation signed, and delivers it to its guest by the guest's host (cloud.md, "Time, then challenge,
 * never against a revocation").
 *
 * The first signature is timed by the clock alone, which saves a round trip, unless the order wants a challenge first. A
 * challenge of the guest's is signed where the guest's clock is of no use: after ClockUnsynchronized and NotYetValid, and
 * after Expired where the guest's clock is outside [iat - 30, exp). Within it Expired may mean that a revocation has
 * overtaken the push, and is final. (One from before the decision, as of the same second, the caller knows: it wants a
 * challenge first.)
 */
#ifndef EXC_DELIVERY_H
#define EXC_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/api/config.h"
#include "cloud/api/host_client.h"
#include "cloud/api/signer_client.h"

enum {
        DELIVERY_CHALLENGE_LIFE_S = 120, /* push.md: a push with a challenge may arrive so late */
        DELIVERY_CLOCK_SLACK_S = 30,     /* push.md: of iat */
};

/* The connections to the signer and to each host of the configuration, which must outlive it. */
struct delivery;
struct delivery *delivery_new(const struct api_config *config); /* NULL without memory */
void delivery_free(struct delivery *delivery);

/* Texts are the caller's. */
struct delivery_order {
        const char *instance, *host;
        const struct signer_push *push; /* NULL: `revoke` */
        const struct signer_revoke *revoke;
        const char *fingerprint; /* of the push's key */
        bool challenge_first;
        int64_t deadline_ns; /* CLOCK_MONOTONIC */

        /* Decides afresh before another signature, and renews the audit head in `push` or `revoke`. NULL: always true. */
        bool (*again)(void *context);
        void *context;
};

enum delivery_end {
        DELIVERY_DONE,
        DELIVERY_NOT_SIGNED,   /* `signer` and `signer_fault` say why */
        DELIVERY_NOT_ANSWERED, /* `host` and `host_fault` say why */
        DELIVERY_NO_HOST,      /* the configuration has no host of that name */
        DELIVERY_OTHER_GUEST,  /* what answers Hello is another instance than the one asked for, or has no id */
        DELIVERY_LATE,         /* the deadline has come before anything was sent */
        DELIVERY_STOPPED,      /* by again() */
};

struct delivery_outcome {
        enum delivery_end end;
        enum signer_result signer;
        struct signer_fault signer_fault;
        enum host_result host;
        struct host_fault host_fault;
        char guest_instance[ANSWER_INSTANCE_MAX]; /* DELIVERY_OTHER_GUEST; "": it has none */

        /* The guest has, or may have, a key of this push, until then at the latest (Unix seconds). 0: it has none. */
        int64_t keys_end_s;

        struct push_answer push; /* DELIVERY_DONE */
        int64_t revoked;         /* the same */
};

void delivery_send(struct delivery *delivery, const struct delivery_order *order, struct delivery_outcome *ret);

#endif
