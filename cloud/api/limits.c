/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/lifetime.h"

/*
 * Buckets are in sets of 8, as in a processor's cache: a name's set follows from its hash, and a new name takes the bucket
 * of that set which is the first to be full again, and so has least to forget.
 */
enum {
        SETS = 1024,
        WAYS = 8,
        NS_PER_MINUTE_S = 60,
};

/* The level is stored as the time when the bucket will be full. From all zeros: full. */
struct bucket {
        uint64_t key; /* hash of the name */
        int64_t full_at_ns;
};

struct limits {
        pthread_mutex_t lock;
        uint64_t seed[2];
        struct limit_rate rates[LIMIT_MAX_];
        struct bucket buckets[LIMIT_MAX_][SETS][WAYS];
};

/* --- SipHash-2-4 (Aumasson and Bernstein, 2012): peers choose names, and must not choose the buckets of others ------ */

static uint64_t rotated(uint64_t value, unsigned bits) {
        return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[static 4]) {
        v[0] += v[1];
        v[1] = rotated(v[1], 13) ^ v[0];
        v[0] = rotated(v[0], 32);
        v[2] += v[3];
        v[3] = rotated(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotated(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotated(v[1], 17) ^ v[2];
        v[2] = rotated(v[2], 32);
}

static void sip_word(uint64_t v[static 4], uint64_t word) {
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
}

static uint64_t hash(const uint64_t seed[static 2], const char *text) {
        uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                         seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
        size_t length = strlen(text), i = 0;
        uint64_t word = 0;

        for (; i < length; i++) {
                word |= (uint64_t)(uint8_t)text[i] << (i % 8 * 8);
                if (i % 8 == 7) {
                        sip_word(v, word);
                        word = 0;
                }
        }
        sip_word(v, word | (uint64_t)(length & 0xff) << 56);
        v[2] ^= 0xff;
        for (unsigned n = 0; n < 4; n++)
                sip_round(v);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- buckets -------------------------------------------------------------------------------------------------------- */

struct limits *limits_new(const struct limit_rate rates[static LIMIT_MAX_]) {
        struct limits *limits = calloc(1, sizeof(*limits));

        if (!limits)
                return NULL;
        if (getrandom(limits->seed, sizeof(limits->seed), 0) != (ssize_t)sizeof(limits->seed) ||
            pthread_mutex_init(&limits->lock, NULL) != 0) {
                free(limits);
                return NULL;
        }
        memcpy(limits->rates, rates, sizeof(limits->rates));
        return limits;
}

void limits_free(struct limits *limits) {
        if (!limits)
                return;
        (void)pthread_mutex_destroy(&limits->lock);
        free(limits);
}

static struct bucket *find(struct bucket set[static WAYS], uint64_t key) {
        struct bucket *oldest = &set[0];

        for (unsigned i = 0; i < WAYS; i++) {
                if (set[i].key == key)
                        return &set[i];
                if (set[i].full_at_ns < oldest->full_at_ns)
                        oldest = &set[i];
        }
        *oldest = (struct bucket){.key = key};
        return oldest;
}

static int64_t take(struct bucket *bucket, const struct limit_rate *rate, int64_t now_ns, bool really) {
        int64_t one_ns = NS_PER_S * NS_PER_MINUTE_S / rate->per_minute;
        int64_t full_at_ns = (bucket->full_at_ns > now_ns ? bucket->full_at_ns : now_ns) + one_ns;
        int64_t early_ns = full_at_ns - now_ns - one_ns * (rate->burst > 0 ? rate->burst : 1);

        if (early_ns > 0)
                return early_ns;
        if (really)
                bucket->full_at_ns = full_at_ns;
        return 0;
}

static int64_t use(struct limits *limits, enum limit limit, const char *name, int64_t now_ns, bool really) {
        uint64_t key = hash(limits->seed, name);
        int64_t wait_ns;

        if (limits->rates[limit].per_minute == 0)
                return 0;
        (void)pthread_mutex_lock(&limits->lock);
        wait_ns = take(find(limits->buckets[limit][key % SETS], key), &limits->rates[limit], now_ns, really);
        (void)pthread_mutex_unlock(&limits->lock);
        return wait_ns;
}

int64_t limits_take(struct limits *limits, enum limit limit, const char *name, int64_t now_ns) {
        return use(limits, limit, name, now_ns, true);
}

int64_t limits_ask(struct limits *limits, enum limit limit, const char *name, int64_t now_ns) {
        return use(limits, limit, name, now_ns, false);
}
