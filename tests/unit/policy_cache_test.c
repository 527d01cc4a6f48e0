/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/policy/policy_cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A document that allows the action of that number, and no other. */
static struct policy *document(int64_t number) {
        char text[256], why[POLICY_WHY_MAX];
        struct policy *policy;

        (void)snprintf(text, sizeof(text),
                       "{\"Version\":\"2024-03-05\",\"Statements\":[{\"Effect\":\"Allow\",\"Action\":\"a%06lld\","
                       "\"Resource\":\"*\"}]}",
                       (long long)number);
        if (policy_parse(text, strlen(text), &policy, why) < 0)
                abort();
        return policy;
}

static bool allows(const struct policy *policy, int64_t number) {
        struct policy_decision decision;
        char action[32];

        (void)snprintf(action, sizeof(action), "a%06lld", (long long)number);
        policy_evaluate(&policy, 1, &(struct policy_request){.action = action, .resource = "r"}, &decision);
        return decision.effect == POLICY_ALLOW;
}

static void add(struct policy_cache *cache, int64_t version) {
        struct policy *policy = document(version);

        policy_cache_add(cache, version, policy);
        policy_free(policy);
}

static bool has(struct policy_cache *cache, int64_t version) {
        struct policy *policy = policy_cache_get(cache, version);
        bool right = policy && allows(policy, version);

        policy_free(policy);
        return right;
}

static struct policy_cache *new_cache(size_t documents, size_t bytes) {
        struct policy_cache *cache = policy_cache_new(documents, bytes);

        assert_non_null(cache);
        return cache;
}

static void versions_are_found_again(void **state) {
        /* Numbers of one slot, and the largest and smallest there are. */
        static const int64_t versions[] = {1, 2, 129, 257, INT64_MAX, 0, -1, INT64_MIN};
        struct policy_cache *cache = new_cache(100, SIZE_MAX);
        struct policy_cache_use use;

        (void)state;
        assert_false(has(cache, 1));
        for (size_t i = 0; i < 8; i++) {
                struct policy *policy = document(versions[i]);

                policy_cache_add(cache, versions[i], policy);
                policy_free(policy);
        }
        for (size_t i = 0; i < 8; i++) {
                struct policy *policy = policy_cache_get(cache, versions[i]);

                assert_non_null(policy);
                assert_true(allows(policy, versions[i]));
                policy_free(policy);
        }
        assert_null(policy_cache_get(cache, 3));
        policy_cache_used(cache, &use);
        assert_int_equal(use.documents, 8);
        assert_int_equal(use.hits, 8);
        assert_int_equal(use.misses, 2);
        policy_cache_free(cache);
}

static void first_document_of_a_version_stays(void **state) {
        struct policy_cache *cache = new_cache(10, SIZE_MAX);
        struct policy *other = document(2);
        struct policy_cache_use use;

        (void)state;
        add(cache, 1);
        policy_cache_add(cache, 1, other);
        policy_free(other);
        assert_true(has(cache, 1));
        policy_cache_used(cache, &use);
        assert_int_equal(use.documents, 1);
        policy_cache_free(cache);
}

static void least_recently_used_goes_first(void **state) {
        struct policy_cache *cache = new_cache(3, SIZE_MAX);

        (void)state;
        for (int64_t version = 1; version <= 3; version++)
                add(cache, version);
        assert_true(has(cache, 1));
        add(cache, 4);
        assert_true(has(cache, 1));
        assert_false(has(cache, 2));
        assert_true(has(cache, 3));
        assert_true(has(cache, 4));
        add(cache, 5);
        assert_false(has(cache, 1));
        policy_cache_free(cache);

        cache = new_cache(1, SIZE_MAX);
        add(cache, 1);
        add(cache, 2);
        assert_false(has(cache, 1));
        assert_true(has(cache, 2));
        policy_cache_free(cache);
}

static void bytes_are_bounded(void **state) {
        struct policy_cache *cache = new_cache(1000, SIZE_MAX);
        struct policy_cache_use use;
        struct policy *held;
        size_t one;

        (void)state;
        add(cache, 1);
        policy_cache_used(cache, &use);
        one = use.bytes;
        assert_true(one > 50);
        policy_cache_free(cache);

        cache = new_cache(1000, 4 * one + one / 2);
        for (int64_t version = 1; version <= 100; version++) {
                add(cache, version);
                policy_cache_used(cache, &use);
                assert_true(use.bytes <= 4 * one + one / 2);
                assert_int_equal(use.documents, version < 4 ? version : 4);
                assert_int_equal(use.bytes, use.documents * one);
        }
        /* Who has a reference keeps the document. */
        held = policy_cache_get(cache, 100);
        for (int64_t version = 101; version <= 110; version++)
                add(cache, version);
        assert_false(has(cache, 100));
        assert_true(allows(held, 100));
        policy_cache_free(cache);
        assert_true(allows(held, 100));
        policy_free(held);

        /* One that is too large is not kept, and nothing goes for it. */
        cache = new_cache(10, one - 1);
        add(cache, 1);
        assert_false(has(cache, 1));
        policy_cache_used(cache, &use);
        assert_int_equal(use.bytes, 0);
        policy_cache_free(cache);
        policy_cache_free(NULL);
}

enum { THREADS = 4, ROUNDS = 20000, VERSIONS = 40 };

struct worker {
        struct policy_cache *cache;
        unsigned seed;
        bool wrong;
};

static void *use_it(void *argument) {
        struct worker *worker = argument;

        for (int i = 0; i < ROUNDS; i++) {
                int64_t version = rand_r(&worker->seed) % VERSIONS;
                struct policy *policy = policy_cache_get(worker->cache, version);

                if (!policy) {
                        policy = document(version);
                        policy_cache_add(worker->cache, version, policy);
                }
                worker->wrong |= !allows(policy, version) || allows(policy, version + 1);
                policy_free(policy);
        }
        return NULL;
}

static void threads_share_it(void **state) {
        struct policy_cache *cache = new_cache(VERSIONS / 2, SIZE_MAX);
        struct worker workers[THREADS];
        struct policy_cache_use use;
        pthread_t threads[THREADS];

        (void)state;
        for (unsigned i = 0; i < THREADS; i++) {
                workers[i] = (struct worker){.cache = cache, .seed = i + 1};
                assert_int_equal(pthread_create(&threads[i], NULL, use_it, &workers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
                assert_int_equal(pthread_join(threads[i], NULL), 0);
                assert_false(workers[i].wrong);
        }
        policy_cache_used(cache, &use);
        assert_int_equal(use.hits + use.misses, THREADS * ROUNDS);
        assert_int_equal(use.documents, VERSIONS / 2);
        policy_cache_free(cache);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(versions_are_found_again),
                cmocka_unit_test(first_document_of_a_version_stays),
                cmocka_unit_test(least_recently_used_goes_first),
                cmocka_unit_test(bytes_are_bounded),
                cmocka_unit_test(threads_share_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
