/* SPDX-License-Identifier: Apache-2.0 */
/* A table with a list in each slot, and one list of all entries in the order of their use. */
#include "cloud/policy/policy_cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct entry {
        int64_t version;
        struct policy *policy;
        size_t size;
        struct entry *next;          /* in its slot */
        struct entry *newer, *older; /* in the order of use */
};

struct policy_cache {
        pthread_mutex_t lock;
        size_t documents_max, bytes_max;
        size_t n_slots; /* a power of 2 */
        struct entry **slots;
        struct entry *newest, *oldest;
        struct policy_cache_use use;
};

struct policy_cache *policy_cache_new(size_t documents_max, size_t bytes_max) {
        struct policy_cache *cache = calloc(1, sizeof(*cache));

        if (!cache)
                return NULL;
        cache->documents_max = documents_max;
        cache->bytes_max = bytes_max;
        cache->n_slots = 1;
        while (cache->n_slots < documents_max && cache->n_slots < SIZE_MAX / 2 / sizeof(*cache->slots))
                cache->n_slots *= 2;
        cache->slots = calloc(cache->n_slots, sizeof(*cache->slots));
        if (!cache->slots || pthread_mutex_init(&cache->lock, NULL) != 0) {
                free(cache->slots);
                free(cache);
                return NULL;
        }
        return cache;
}

/* Versions are numbers that count up: their low bits are spread well enough. */
static struct entry **slot_of(struct policy_cache *cache, int64_t version) {
        struct entry **at = &cache->slots[(uint64_t)version & (cache->n_slots - 1)];

        while (*at && (*at)->version != version)
                at = &(*at)->next;
        return at;
}

static void unlink_use(struct policy_cache *cache, struct entry *entry) {
        if (entry->newer)
                entry->newer->older = entry->older;
        else
                cache->newest = entry->older;
        if (entry->older)
                entry->older->newer = entry->newer;
        else
                cache->oldest = entry->newer;
}

static void link_newest(struct policy_cache *cache, struct entry *entry) {
        entry->newer = NULL;
        entry->older = cache->newest;
        if (cache->newest)
                cache->newest->newer = entry;
        else
                cache->oldest = entry;
        cache->newest = entry;
}

static void drop(struct policy_cache *cache, struct entry *entry) {
        *slot_of(cache, entry->version) = entry->next;
        unlink_use(cache, entry);
        cache->use.documents--;
        cache->use.bytes -= entry->size;
        policy_free(entry->policy);
        free(entry);
}

void policy_cache_free(struct policy_cache *cache) {
        if (!cache)
                return;
        while (cache->oldest)
                drop(cache, cache->oldest);
        (void)pthread_mutex_destroy(&cache->lock);
        free(cache->slots);
        free(cache);
}

struct policy *policy_cache_get(struct policy_cache *cache, int64_t version) {
        struct policy *policy = NULL;
        struct entry *entry;

        (void)pthread_mutex_lock(&cache->lock);
        entry = *slot_of(cache, version);
        if (entry) {
                unlink_use(cache, entry);
                link_newest(cache, entry);
                policy = policy_ref(entry->policy);
                cache->use.hits++;
        } else
                cache->use.misses++;
        (void)pthread_mutex_unlock(&cache->lock);
        return policy;
}

void policy_cache_add(struct policy_cache *cache, int64_t version, struct policy *policy) {
        struct entry *entry = malloc(sizeof(*entry));
        struct entry **at;

        if (!entry)
                return;
        *entry = (struct entry){.version = version, .size = policy_size(policy) + sizeof(*entry)};

        (void)pthread_mutex_lock(&cache->lock);
        at = slot_of(cache, version);
        if (*at || entry->size > cache->bytes_max) {
                (void)pthread_mutex_unlock(&cache->lock);
                free(entry);
                return;
        }
        while (cache->oldest &&
               (cache->use.documents >= cache->documents_max || cache->use.bytes > cache->bytes_max - entry->size))
                drop(cache, cache->oldest);
        /* Which may have been in this slot. */
        at = slot_of(cache, version);
        *at = entry;
        entry->policy = policy_ref(policy);
        link_newest(cache, entry);
        cache->use.documents++;
        cache->use.bytes += entry->size;
        (void)pthread_mutex_unlock(&cache->lock);
}

void policy_cache_used(struct policy_cache *cache, struct policy_cache_use *ret) {
        (void)pthread_mutex_lock(&cache->lock);
        *ret = cache->use;
        (void)pthread_mutex_unlock(&cache->lock);
}
