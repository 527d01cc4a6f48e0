/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsed documents by the version that the store gave their text (store_policy.version, which names one text for ever).
 * So a request reads from the database which versions count now, and parses only those that are new. Nothing in here can
 * be out of date. Any thread may call any function.
 */
#ifndef EXC_CLOUD_POLICY_CACHE_H
#define EXC_CLOUD_POLICY_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "cloud/policy/policy.h"

struct policy_cache;

/*
 * Keeps at most `documents_max` (1 or more) documents that take at most `bytes_max` together (policy_size()); the ones that
 * were not asked for longest go first. NULL: no memory.
 */
struct policy_cache *policy_cache_new(size_t documents_max, size_t bytes_max);
/* Documents that others have a reference to stay until policy_free(). */
void policy_cache_free(struct policy_cache *cache);

/* The document, with a reference for the caller, who ends it with policy_free(). NULL: parse it and add it. */
struct policy *policy_cache_get(struct policy_cache *cache, int64_t version);

/*
 * Keeps `policy` as that version, with a reference of its own; one that is there already stays. What does not fit is not
 * kept, which is no error.
 */
void policy_cache_add(struct policy_cache *cache, int64_t version, struct policy *policy);

struct policy_cache_use {
        size_t documents, bytes;
        uint64_t hits, misses;
};

void policy_cache_used(struct policy_cache *cache, struct policy_cache_use *ret);

#endif
