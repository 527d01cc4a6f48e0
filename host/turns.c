/* SPDX-License-Identifier: Apache-2.0 */
#include "host/turns.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "host/clock.h"

struct waiter {
        pthread_cond_t changed;
        bool has_turn;
        struct waiter *next;
};

struct turns {
        pthread_mutex_t lock;
        unsigned refs;
        bool taken;
        unsigned n_waiting;
        struct waiter *first, **last; /* `last` is where the next one is linked */
};

struct turns *turns_new(void) {
        struct turns *turns = calloc(1, sizeof(*turns));

        if (!turns)
                return NULL;
        (void)pthread_mutex_init(&turns->lock, NULL);
        turns->refs = 1;
        turns->last = &turns->first;
        return turns;
}

struct turns *turns_ref(struct turns *turns) {
        (void)pthread_mutex_lock(&turns->lock);
        turns->refs++;
        (void)pthread_mutex_unlock(&turns->lock);
        return turns;
}

void turns_unref(struct turns *turns) {
        unsigned refs;

        if (!turns)
                return;
        (void)pthread_mutex_lock(&turns->lock);
        refs = --turns->refs;
        (void)pthread_mutex_unlock(&turns->lock);
        if (refs > 0)
                return;
        (void)pthread_mutex_destroy(&turns->lock);
        free(turns);
}

static void append(struct turns *turns, struct waiter *waiter) {
        *turns->last = waiter;
        turns->last = &waiter->next;
        turns->n_waiting++;
}

static void drop(struct turns *turns, struct waiter *waiter) {
        struct waiter **at = &turns->first;

        while (*at != waiter)
                at = &(*at)->next;
        *at = waiter->next;
        if (turns->last == &waiter->next)
                turns->last = at;
        turns->n_waiting--;
}

/* Under the lock. */
static int wait_for_turn(struct turns *turns, int64_t deadline_ms) {
        const struct timespec until = clock_timespec(deadline_ms);
        struct waiter waiter = {.next = NULL};
        int error = clock_cond_init(&waiter.changed);

        if (error != 0)
                return -error;
        append(turns, &waiter);
        while (!waiter.has_turn && error != ETIMEDOUT)
                error = pthread_cond_timedwait(&waiter.changed, &turns->lock, &until);
        if (!waiter.has_turn)
                drop(turns, &waiter);
        (void)pthread_cond_destroy(&waiter.changed);
        return waiter.has_turn ? 0 : -ETIMEDOUT;
}

int turns_take(struct turns *turns, unsigned most_waiting, int64_t deadline_ms) {
        int r = 0;

        (void)pthread_mutex_lock(&turns->lock);
        if (!turns->taken) /* then nobody waits: turns_release() passes the turn on */
                turns->taken = true;
        else if (turns->n_waiting >= most_waiting)
                r = -EBUSY;
        else
                r = wait_for_turn(turns, deadline_ms);
        (void)pthread_mutex_unlock(&turns->lock);
        return r;
}

void turns_release(struct turns *turns) {
        struct waiter *next;

        (void)pthread_mutex_lock(&turns->lock);
        next = turns->first;
        if (next) {
                drop(turns, next);
                next->has_turn = true;
                (void)pthread_cond_signal(&next->changed);
        } else
                turns->taken = false;
        (void)pthread_mutex_unlock(&turns->lock);
}

unsigned turns_waiting(struct turns *turns) {
        unsigned n;

        (void)pthread_mutex_lock(&turns->lock);
        n = turns->n_waiting;
        (void)pthread_mutex_unlock(&turns->lock);
        return n;
}
