/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

enum {
        SIGNED_MAX = 3, /* by time, with a challenge, with another one in place of one that was lost */
        LEFT_MIN_MS = 200,
        NS_PER_MS = 1000 * 1000,
};

struct delivery {
        const struct api_config *config;
        struct varlink_pool *signer;
        struct varlink_pool *hosts[]; /* as in the configuration */
};

struct delivery *delivery_new(const struct api_config *config) {
        struct delivery *delivery = calloc(1, sizeof(*delivery) + config->n_hosts * sizeof(delivery->hosts[0]));
        bool ok;

        if (!delivery)
                return NULL;
        delivery->config = config;
        delivery->signer = varlink_pool_new(config->signer);
        ok = delivery->signer;
        for (size_t i = 0; i < config->n_hosts; i++) {
                delivery->hosts[i] = varlink_pool_new(config->hosts[i].socket);
                ok = ok && delivery->hosts[i];
        }
        if (ok)
                return delivery;
        delivery_free(delivery);
        return NULL;
}

void delivery_free(struct delivery *delivery) {
        if (!delivery)
                return;
        varlink_pool_free(delivery->signer);
        for (size_t i = 0; i < delivery->config->n_hosts; i++)
                varlink_pool_free(delivery->hosts[i]);
        free(delivery);
}

static struct varlink_pool *find_host(struct delivery *delivery, const char *name) {
        for (size_t i = 0; i < delivery->config->n_hosts; i++)
                if (strcmp(delivery->config->hosts[i].name, name) == 0)
                        return delivery->hosts[i];
        return NULL;
}

/* --- one delivery ------------------------------------------------------------------------------------------------ */

struct attempt {
        const struct delivery_order *order;
        struct varlink_pool *signer, *host;
        struct delivery_outcome *outcome;
        bool has_hello; /* `hello` is of a connection that the host still holds */
        struct host_hello hello;
        struct signer_signed envelope;
};

static int left_ms(const struct delivery_order *order) {
        int64_t left = (order->deadline_ns - clock_ns(CLOCK_MONOTONIC)) / NS_PER_MS;

        return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static bool end(struct attempt *attempt, enum delivery_end how) {
        attempt->outcome->end = how;
        return false;
}

/* Each step is true when the next one follows, else the outcome says how it ended. */
static bool in_time(struct attempt *attempt, int *ret_ms) {
        *ret_ms = left_ms(attempt->order);
        return *ret_ms >= LEFT_MIN_MS || end(attempt, DELIVERY_LATE);
}

/* What the host says of a guest that it does not own counts for nothing: the guest's id must be the instance's. */
static bool hello(struct attempt *attempt) {
        struct delivery_outcome *outcome = attempt->outcome;
        int ms;

        if (!in_time(attempt, &ms))
                return false;
        outcome->host =
                host_client_hello(attempt->host, attempt->order->instance, ms, &attempt->hello, &outcome->host_fault);
        if (outcome->host != HOST_OK)
                return end(attempt, DELIVERY_NOT_ANSWERED);
        if (strcmp(attempt->hello.guest_instance, attempt->order->instance) != 0) {
                memcpy(outcome->guest_instance, attempt->hello.guest_instance, sizeof(outcome->guest_instance));
                return end(attempt, DELIVERY_OTHER_GUEST);
        }
        attempt->has_hello = true;
        return true;
}

static bool sign(struct attempt *attempt) {
        const struct delivery_order *order = attempt->order;
        const char *challenge = attempt->has_hello ? attempt->hello.challenge : NULL;
        struct delivery_outcome *outcome = attempt->outcome;
        int ms;

        if (!in_time(attempt, &ms))
                return false;
        outcome->signer = order->push ? signer_client_push(attempt->signer, order->push, challenge, ms,
                                                           &attempt->envelope, &outcome->signer_fault)
                                      : signer_client_revoke(attempt->signer, order->revoke, challenge, ms,
                                                             &attempt->envelope, &outcome->signer_fault);
        return outcome->signer == SIGNER_OK || end(attempt, DELIVERY_NOT_SIGNED);
}

/* The latest time at which a key of this envelope lives, however late the envelope arrives. */
static int64_t keys_end_s(const struct attempt *attempt) {
        const struct signer_signed *envelope = &attempt->envelope;

        if (!attempt->order->push)
                return 0;
        return attempt->has_hello ? (int64_t)time(NULL) + DELIVERY_CHALLENGE_LIFE_S + envelope->ttl_s : envelope->exp_s;
}

static bool deliver(struct attempt *attempt) {
        const struct delivery_order *order = attempt->order;
        const char *handle = attempt->has_hello ? attempt->hello.handle : NULL;
        struct delivery_outcome *outcome = attempt->outcome;
        int ms;

        if (!in_time(attempt, &ms))
                return false;
        outcome->host = order->push ? host_client_push(attempt->host, order->instance, attempt->envelope.envelope,
                                                       handle, order->fingerprint, attempt->envelope.ttl_s, ms,
                                                       &outcome->push, &outcome->host_fault)
                                    : host_client_revoke(attempt->host, order->instance, attempt->envelope.envelope,
                                                         handle, ms, &outcome->revoked, &outcome->host_fault);
        if (outcome->host == HOST_OK || outcome->host == HOST_UNKNOWN)
                outcome->keys_end_s = keys_end_s(attempt);
        return outcome->host == HOST_OK || end(attempt, DELIVERY_NOT_ANSWERED);
}

/* Whether the guest's clock is so far off that what was signed just now is Expired by it. */
static bool clock_is_outside(const struct attempt *attempt) {
        int64_t guest_s = attempt->hello.clock.unix_s;

        return guest_s < attempt->envelope.iat_s - DELIVERY_CLOCK_SLACK_S || guest_s >= attempt->envelope.exp_s;
}

/* After an attempt that was not answered with success: whether a challenge, which is then there, helps. */
static bool challenge_helps(struct attempt *attempt) {
        struct delivery_outcome *outcome = attempt->outcome;
        struct delivery_outcome refused;
        enum refusal why;
        bool helps;

        if (outcome->end != DELIVERY_NOT_ANSWERED ||
            (outcome->host != HOST_GUEST_REFUSED && outcome->host != HOST_NO_HANDLE))
                return false;
        why = outcome->host == HOST_NO_HANDLE ? REFUSAL_STALE_CHALLENGE
                                              : refusal_from_name(outcome->host_fault.guest_error);
        if (attempt->has_hello) {
                attempt->has_hello = false;
                return why == REFUSAL_STALE_CHALLENGE && hello(attempt);
        }
        if (why == REFUSAL_CLOCK_UNSYNCHRONIZED || why == REFUSAL_NOT_YET_VALID)
                return hello(attempt);
        if (why != REFUSAL_EXPIRED)
                return false;
        /* Where the challenge does not help, the refusal stays the outcome; another guest's answer does not. */
        refused = *outcome;
        helps = hello(attempt) && clock_is_outside(attempt);
        if (!helps && outcome->end != DELIVERY_OTHER_GUEST)
                *outcome = refused;
        return helps;
}

void delivery_send(struct delivery *delivery, const struct delivery_order *order, struct delivery_outcome *ret) {
        struct attempt attempt = {
                .order = order,
                .signer = delivery->signer,
                .host = find_host(delivery, order->host),
                .outcome = ret,
        };

        *ret = (struct delivery_outcome){.end = DELIVERY_DONE};
        if (!attempt.host) {
                ret->end = DELIVERY_NO_HOST;
                return;
        }
        if (order->challenge_first && !hello(&attempt))
                return;
        for (int i = 0; i < SIGNED_MAX; i++) {
                bool done;

                if (i > 0 && order->again && !order->again(order->context)) {
                        ret->end = DELIVERY_STOPPED;
                        return;
                }
                ret->end = DELIVERY_DONE;
                if (!sign(&attempt))
                        return;
                done = deliver(&attempt);
                json_decref(attempt.envelope.envelope);
                if (done || i == SIGNED_MAX - 1 || !challenge_helps(&attempt))
                        return;
        }
}
