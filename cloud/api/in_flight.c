/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/in_flight.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct in_flight {
        pthread_mutex_t lock;
        struct in_flight_bounds bounds;
        struct {
                const char *instance; /* NULL: free */
                const char *host;
        } slots[IN_FLIGHT_MAX];
};

struct in_flight *in_flight_new(struct in_flight_bounds bounds) {
        struct in_flight *calls = calloc(1, sizeof(*calls));

        if (!calls)
                return NULL;
        calls->bounds = bounds;
        if (calls->bounds.all > IN_FLIGHT_MAX)
                calls->bounds.all = IN_FLIGHT_MAX;
        (void)pthread_mutex_init(&calls->lock, NULL);
        return calls;
}

void in_flight_free(struct in_flight *calls) {
        if (!calls)
                return;
        (void)pthread_mutex_destroy(&calls->lock);
        free(calls);
}

static enum in_flight_result find_slot(const struct in_flight *calls, const char *instance, const char *host,
                                       size_t *ret_slot) {
        size_t of_instance = 0, of_host = 0, all = 0, free_slot = 0;

        for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
                if (!calls->slots[i].instance) {
                        free_slot = i;
                        continue;
                }
                all++;
                of_instance += strcmp(calls->slots[i].instance, instance) == 0;
                of_host += strcmp(calls->slots[i].host, host) == 0;
        }
        if (of_instance >= calls->bounds.instance)
                return IN_FLIGHT_INSTANCE;
        if (of_host >= calls->bounds.host)
                return IN_FLIGHT_HOST;
        if (all >= calls->bounds.all)
                return IN_FLIGHT_ALL;
        *ret_slot = free_slot;
        return IN_FLIGHT_OK;
}

enum in_flight_result in_flight_enter(struct in_flight *calls, const char *instance, const char *host,
                                      size_t *ret_slot) {
        enum in_flight_result result;
        size_t slot;

        (void)pthread_mutex_lock(&calls->lock);
        result = find_slot(calls, instance, host, &slot);
        if (result == IN_FLIGHT_OK) {
                calls->slots[slot].instance = instance;
                calls->slots[slot].host = host;
                *ret_slot = slot;
        }
        (void)pthread_mutex_unlock(&calls->lock);
        return result;
}

void in_flight_leave(struct in_flight *calls, size_t slot) {
        (void)pthread_mutex_lock(&calls->lock);
        calls->slots[slot].instance = NULL;
        (void)pthread_mutex_unlock(&calls->lock);
}
