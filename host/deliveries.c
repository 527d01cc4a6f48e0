/* SPDX-License-Identifier: Apache-2.0 */
#include "host/deliveries.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"

enum { BUCKETS = 8192 }; /* a power of two */

struct delivery {
        struct deliveries *all;
        struct delivery_call call;
        unsigned refs; /* one is the table's while it is in there */
        bool done;
        const char *error;
        char *text;
        size_t size;
        int64_t done_ms;
        pthread_cond_t finished;
        struct delivery *next_in_bucket;
        struct delivery *next_newer; /* of those that are done and listed */
};

struct deliveries {
        pthread_mutex_t lock;
        size_t most, most_bytes;
        size_t n, bytes;
        struct delivery *oldest, **newest; /* `newest` is where the next one is linked */
        struct delivery *buckets[BUCKETS];
};

struct deliveries *deliveries_new(size_t most, size_t most_bytes) {
        struct deliveries *deliveries = calloc(1, sizeof(*deliveries));

        if (!deliveries)
                return NULL;
        (void)pthread_mutex_init(&deliveries->lock, NULL);
        deliveries->most = most;
        deliveries->most_bytes = most_bytes;
        deliveries->newest = &deliveries->oldest;
        return deliveries;
}

/* FNV-1a. Call ids are random. */
static struct delivery **bucket_of(struct deliveries *deliveries, const char *call_id) {
        uint32_t hash = 2166136261;

        for (; *call_id; call_id++)
                hash = (hash ^ (uint8_t)*call_id) * 16777619;
        return &deliveries->buckets[hash & (BUCKETS - 1)];
}

/* Under the lock, as all below that say nothing else. */
static void unref(struct delivery *delivery) {
        if (--delivery->refs > 0)
                return;
        (void)pthread_cond_destroy(&delivery->finished);
        free(delivery->text);
        free(delivery);
}

static void unlist(struct delivery *delivery) {
        struct delivery **at = bucket_of(delivery->all, delivery->call.call_id);

        while (*at != delivery)
                at = &(*at)->next_in_bucket;
        *at = delivery->next_in_bucket;
        delivery->all->n--;
        delivery->all->bytes -= delivery->size;
        unref(delivery);
}

static void expire(struct deliveries *deliveries, int64_t now_ms) {
        while (deliveries->oldest && deliveries->oldest->done_ms + DELIVERIES_KEEP_MS <= now_ms) {
                struct delivery *delivery = deliveries->oldest;

                deliveries->oldest = delivery->next_newer;
                if (!deliveries->oldest)
                        deliveries->newest = &deliveries->oldest;
                unlist(delivery);
        }
}

void deliveries_free(struct deliveries *deliveries) {
        if (!deliveries)
                return;
        for (size_t i = 0; i < BUCKETS; i++)
                while (deliveries->buckets[i])
                        unlist(deliveries->buckets[i]);
        (void)pthread_mutex_destroy(&deliveries->lock);
        free(deliveries);
}

static enum delivery_begin add(struct deliveries *deliveries, const struct delivery_call *call, struct delivery **ret) {
        struct delivery **bucket = bucket_of(deliveries, call->call_id), *delivery;

        if (deliveries->n >= deliveries->most || deliveries->bytes >= deliveries->most_bytes)
                return DELIVERY_FULL;
        delivery = calloc(1, sizeof(*delivery));
        if (!delivery)
                return DELIVERY_NO_MEMORY;
        if (clock_cond_init(&delivery->finished) != 0) {
                free(delivery);
                return DELIVERY_NO_MEMORY;
        }
        delivery->all = deliveries;
        delivery->call = *call;
        delivery->refs = 2;
        delivery->next_in_bucket = *bucket;
        *bucket = delivery;
        deliveries->n++;
        *ret = delivery;
        return DELIVERY_NEW;
}

static enum delivery_begin find_or_add(struct deliveries *deliveries, const struct delivery_call *call,
                                       struct delivery **ret) {
        for (struct delivery *at = *bucket_of(deliveries, call->call_id); at; at = at->next_in_bucket) {
                if (strcmp(at->call.call_id, call->call_id) != 0)
                        continue;
                if (strcmp(at->call.instance, call->instance) != 0 ||
                    memcmp(at->call.digest, call->digest, sizeof(call->digest)) != 0)
                        return DELIVERY_OTHER;
                at->refs++;
                *ret = at;
                return DELIVERY_KNOWN;
        }
        return add(deliveries, call, ret);
}

enum delivery_begin delivery_begin(struct deliveries *deliveries, const struct delivery_call *call, int64_t now_ms,
                                   struct delivery **ret) {
        enum delivery_begin result;

        (void)pthread_mutex_lock(&deliveries->lock);
        expire(deliveries, now_ms);
        result = find_or_add(deliveries, call, ret);
        (void)pthread_mutex_unlock(&deliveries->lock);
        return result;
}

void delivery_finish(struct delivery *delivery, const char *error, char *text, bool forget, int64_t now_ms) {
        struct deliveries *deliveries = delivery->all;

        (void)pthread_mutex_lock(&deliveries->lock);
        delivery->error = error;
        delivery->text = text;
        delivery->done = true;
        delivery->done_ms = now_ms;
        if (forget)
                unlist(delivery);
        else {
                delivery->size = text ? strlen(text) + 1 : 0;
                deliveries->bytes += delivery->size;
                *deliveries->newest = delivery;
                deliveries->newest = &delivery->next_newer;
        }
        (void)pthread_cond_broadcast(&delivery->finished);
        (void)pthread_mutex_unlock(&deliveries->lock);
}

int delivery_wait(struct delivery *delivery, int64_t deadline_ms, struct delivery_answer *ret) {
        const struct timespec until = clock_timespec(deadline_ms);
        int error = 0;

        (void)pthread_mutex_lock(&delivery->all->lock);
        while (!delivery->done && error != ETIMEDOUT)
                error = pthread_cond_timedwait(&delivery->finished, &delivery->all->lock, &until);
        *ret = (struct delivery_answer){.error = delivery->error, .text = delivery->text};
        error = delivery->done ? 0 : -ETIMEDOUT;
        (void)pthread_mutex_unlock(&delivery->all->lock);
        return error;
}

void delivery_unref(struct delivery *delivery) {
        struct deliveries *deliveries = delivery->all;

        (void)pthread_mutex_lock(&deliveries->lock);
        unref(delivery);
        (void)pthread_mutex_unlock(&deliveries->lock);
}
