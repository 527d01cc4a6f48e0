/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/varlink_pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

enum {
        PAUSE_MS = 50, /* before an idempotent call is sent again: a service that crashed is being started */
        NS_PER_MS = 1000 * 1000,
};

struct varlink_pool {
        pthread_mutex_t lock;
        size_t n_idle;
        struct client *idle[VARLINK_POOL_IDLE_MAX];
        char path[]; /* constant */
};

struct varlink_pool *varlink_pool_new(const char *path) {
        size_t n = strlen(path) + 1;
        struct varlink_pool *pool = calloc(1, sizeof(*pool) + n);

        if (!pool)
                return NULL;
        (void)pthread_mutex_init(&pool->lock, NULL);
        memcpy(pool->path, path, n);
        return pool;
}

static void discard(struct client *client) {
        client_close(client);
        free(client);
}

void varlink_pool_free(struct varlink_pool *pool) {
        if (!pool)
                return;
        for (size_t i = 0; i < pool->n_idle; i++)
                discard(pool->idle[i]);
        (void)pthread_mutex_destroy(&pool->lock);
        free(pool);
}

/* Whether the service has neither closed the connection nor sent what nobody asked for. */
static bool is_quiet(const struct client *client) {
        struct pollfd p = {.fd = client->fd, .events = POLLIN};

        return poll(&p, 1, 0) == 0;
}

/* The connection that was used last: the others can grow old and be closed. */
static struct client *take_idle(struct varlink_pool *pool) {
        for (;;) {
                struct client *client = NULL;

                (void)pthread_mutex_lock(&pool->lock);
                if (pool->n_idle > 0)
                        client = pool->idle[--pool->n_idle];
                (void)pthread_mutex_unlock(&pool->lock);
                if (!client || is_quiet(client))
                        return client;
                discard(client);
        }
}

static void give_back(struct varlink_pool *pool, struct client *client) {
        (void)pthread_mutex_lock(&pool->lock);
        if (pool->n_idle < VARLINK_POOL_IDLE_MAX) {
                pool->idle[pool->n_idle++] = client;
                client = NULL;
        }
        (void)pthread_mutex_unlock(&pool->lock);
        if (client)
                discard(client);
}

/* One attempt. `client`, which may be idle until now or NULL, is given back or discarded. */
static enum client_result attempt(struct varlink_pool *pool, struct client *client, const char *method,
                                  json_t *parameters, int timeout_ms, struct client_reply *ret,
                                  struct varlink_fault *ret_fault) {
        enum client_result result = CLIENT_DONE;
        bool sent = false;

        if (!client) {
                client = malloc(sizeof(*client));
                if (!client) {
                        *ret_fault = (struct varlink_fault){.error = -ENOMEM, .why = "out of memory"};
                        return CLIENT_FAILED;
                }
                result = client_connect(client, pool->path, timeout_ms);
        }
        client->timeout_ms = timeout_ms;
        if (result == CLIENT_DONE) {
                result = client_send(client, method, json_incref(parameters), false);
                sent = result != CLIENT_FAILED;
        }
        if (result == CLIENT_DONE)
                result = client_receive(client, ret);
        if (result == CLIENT_DONE || result == CLIENT_REFUSED) {
                give_back(pool, client);
                return result;
        }
        *ret_fault = (struct varlink_fault){.sent = sent, .error = client->error};
        memcpy(ret_fault->why, client->why, sizeof(ret_fault->why));
        discard(client);
        return result;
}

/* Whether the connection ended before the answer came, or a service that is being started again was not there. */
static bool was_cut(enum client_result result, const struct varlink_fault *fault) {
        return result == CLIENT_NOT_REACHED && fault->error != -ETIMEDOUT;
}

enum client_result varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters, int timeout_ms,
                                     bool idempotent, struct client_reply *ret, struct varlink_fault *ret_fault) {
        static const struct timespec pause = {.tv_nsec = PAUSE_MS * NS_PER_MS};
        int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + timeout_ms;
        enum client_result result;
        bool sent = false;

        if (!parameters) {
                *ret_fault = (struct varlink_fault){.error = -ENOMEM, .why = "out of memory"};
                return CLIENT_FAILED;
        }
        for (;;) {
                struct client *client = take_idle(pool);
                bool was_idle = client;
                int64_t left_ms;

                left_ms = end_ms - clock_ms(CLOCK_MONOTONIC);
                result = attempt(pool, client, method, parameters, left_ms > 0 ? (int)left_ms : 1, ret, ret_fault);
                if (result == CLIENT_DONE || result == CLIENT_REFUSED)
                        break;
                sent = sent || ret_fault->sent;
                ret_fault->sent = sent;
                /* Where nothing has been sent at all, the caller learns at once that the service is not there. */
                if (!was_cut(result, ret_fault) || !(was_idle || (idempotent && sent)) ||
                    clock_ms(CLOCK_MONOTONIC) + PAUSE_MS >= end_ms)
                        break;
                if (!was_idle)
                        (void)nanosleep(&pause, NULL);
        }
        json_decref(parameters);
        return result;
}
