/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that carry requests out, each with a store handle of its own. Jobs are taken in their order, but those that
 * wait for others (slow ones) never occupy all threads, so that hosts that hang do not keep the rest from being answered.
 */
#ifndef EXC_API_WORKER_H
#define EXC_API_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "cloud/api/api.h"

enum {
        WORKER_QUEUE_MAX = 2048, /* jobs that wait for a thread */
        WORKER_RESERVE = 4,      /* threads, or half of them where they are fewer, that slow jobs leave free */
};

struct worker_job {
        struct worker_job *next;
        void (*run)(struct worker_job *job, struct store *store); /* `store` is NULL where it cannot be opened */
        bool slow;
};

struct worker_pool;

/* Starts `n` threads. Negative errno. */
int worker_pool_start(const struct api *api, size_t n, struct worker_pool **ret);

/* Ends the threads when the queue is empty, and waits for them. */
void worker_pool_stop(struct worker_pool *pool);

/* False: the queue is full, and the job is not taken. */
bool worker_submit(struct worker_pool *pool, struct worker_job *job);

/* An eventfd that is readable while jobs are done, and those jobs, linked by `next`, in their order. */
int worker_done_fd(const struct worker_pool *pool);
struct worker_job *worker_take_done(struct worker_pool *pool);

#endif
