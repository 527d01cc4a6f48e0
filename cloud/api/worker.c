/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "cloud/api/journal.h"

struct queue {
        struct worker_job *first, **end;
};

struct worker {
        struct worker_pool *pool;
        struct worker *next_idle;
        bool idle;           /* it waits for `wake`, and is in the list */
        pthread_cond_t wake; /* there may be a job, or it is the end */
        pthread_t thread;
};

struct worker_pool {
        const struct api *api;
        pthread_mutex_t lock;
        struct queue fast, slow, done;
        size_t n_waiting, n_slow, n_slow_max;
        bool stop;
        int done_fd;
        struct worker *idle; /* the one that has worked last comes first: its database is in its caches */
        size_t n_workers;
        struct worker workers[];
};

static void queue_init(struct queue *queue) {
        queue->first = NULL;
        queue->end = &queue->first;
}

static void queue_put(struct queue *queue, struct worker_job *job) {
        job->next = NULL;
        *queue->end = job;
        queue->end = &job->next;
}

static struct worker_job *queue_take(struct queue *queue) {
        struct worker_job *job = queue->first;

        if (job && !(queue->first = job->next))
                queue->end = &queue->first;
        return job;
}

/* --- threads -------------------------------------------------------------------------------------------------------- */

/* With the lock held. The caller signals `wake` when it has released the lock: else the thread would wait for that at once. */
static struct worker *take_idle(struct worker_pool *pool) {
        struct worker *worker = pool->idle;

        if (worker) {
                pool->idle = worker->next_idle;
                worker->idle = false;
        }
        return worker;
}

/* With the lock held. */
static void wake_all(struct worker_pool *pool) {
        struct worker *worker;

        while ((worker = take_idle(pool)) != NULL)
                (void)pthread_cond_signal(&worker->wake);
}

/*
 * With the lock held. NULL at the end. Each job that is queued wakes a thread where one is idle; a slow one that has to wait is
 * taken by a thread that ends another one, or by one that was woken for a job which that thread has taken.
 */
static struct worker_job *wait_for_job(struct worker *worker) {
        struct worker_pool *pool = worker->pool;

        for (;;) {
                struct worker_job *job = queue_take(&pool->fast);

                if (!job && pool->n_slow < pool->n_slow_max)
                        job = queue_take(&pool->slow);
                if (job || (pool->stop && pool->n_waiting == 0))
                        return job;
                worker->next_idle = pool->idle;
                pool->idle = worker;
                worker->idle = true;
                while (worker->idle)
                        (void)pthread_cond_wait(&worker->wake, &pool->lock);
        }
}

/* Opened again with the next job where that failed, for a database that comes later. */
static void open_store(const struct worker_pool *pool, struct store **store) {
        char why[STORE_WHY_MAX];

        if (!*store && api_open_store(pool->api, store, why) < 0)
                journal_note(LOG_ERR, "store: %s", why);
}

/* With the lock held. True: done_fd is to be written to. While jobs are in the list, the thread that put the first one does it. */
static bool put_done(struct worker_pool *pool, struct worker_job *job) {
        bool first = !pool->done.first;

        queue_put(&pool->done, job);
        return first;
}

static void *run(void *context) {
        struct worker *worker = context;
        struct worker_pool *pool = worker->pool;
        struct store *store = NULL;
        struct worker_job *job;

        (void)pthread_mutex_lock(&pool->lock);
        while ((job = wait_for_job(worker)) != NULL) {
                bool slow = job->slow, first;
                uint64_t one = 1;

                pool->n_waiting--;
                pool->n_slow += slow;
                (void)pthread_mutex_unlock(&pool->lock);
                open_store(pool, &store);
                job->run(job, store);
                (void)pthread_mutex_lock(&pool->lock);
                first = put_done(pool, job);
                pool->n_slow -= slow;
                if (pool->stop && pool->n_waiting == 0)
                        wake_all(pool);
                (void)pthread_mutex_unlock(&pool->lock);
                if (first && write(pool->done_fd, &one, sizeof(one)) < 0)
                        journal_note(LOG_ERR, "eventfd: %s", strerror(errno));
                (void)pthread_mutex_lock(&pool->lock);
        }
        (void)pthread_mutex_unlock(&pool->lock);
        store_close(store);
        return NULL;
}

/* --- the pool ------------------------------------------------------------------------------------------------------- */

static int start_worker(struct worker_pool *pool) {
        struct worker *worker = &pool->workers[pool->n_workers];
        int r;

        worker->pool = pool;
        (void)pthread_cond_init(&worker->wake, NULL);
        r = -pthread_create(&worker->thread, NULL, run, worker);
        if (r < 0)
                (void)pthread_cond_destroy(&worker->wake);
        else
                pool->n_workers++;
        return r;
}

int worker_pool_start(const struct api *api, size_t n, struct worker_pool **ret) {
        struct worker_pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->workers[0]));
        int r = 0;

        if (!pool)
                return -ENOMEM;
        pool->api = api;
        queue_init(&pool->fast);
        queue_init(&pool->slow);
        queue_init(&pool->done);
        pool->n_slow_max = n > 2 * WORKER_RESERVE ? n - WORKER_RESERVE : (n + 1) / 2;
        pool->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->done_fd < 0) {
                r = -errno;
                free(pool);
                return r;
        }
        (void)pthread_mutex_init(&pool->lock, NULL);
        while (r == 0 && pool->n_workers < n)
                r = start_worker(pool);
        if (r < 0) {
                worker_pool_stop(pool);
                return r;
        }
        *ret = pool;
        return 0;
}

void worker_pool_stop(struct worker_pool *pool) {
        if (!pool)
                return;
        (void)pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        wake_all(pool);
        (void)pthread_mutex_unlock(&pool->lock);
        for (size_t i = 0; i < pool->n_workers; i++) {
                (void)pthread_join(pool->workers[i].thread, NULL);
                (void)pthread_cond_destroy(&pool->workers[i].wake);
        }
        (void)pthread_mutex_destroy(&pool->lock);
        (void)close(pool->done_fd);
        free(pool);
}

bool worker_submit(struct worker_pool *pool, struct worker_job *job) {
        struct worker *worker = NULL;
        bool taken;

        (void)pthread_mutex_lock(&pool->lock);
        taken = pool->n_waiting < WORKER_QUEUE_MAX && !pool->stop;
        if (taken) {
                queue_put(job->slow ? &pool->slow : &pool->fast, job);
                pool->n_waiting++;
                worker = take_idle(pool);
        }
        (void)pthread_mutex_unlock(&pool->lock);
        if (worker)
                (void)pthread_cond_signal(&worker->wake);
        return taken;
}

int worker_done_fd(const struct worker_pool *pool) {
        return pool->done_fd;
}

struct worker_job *worker_take_done(struct worker_pool *pool) {
        struct worker_job *jobs;
        uint64_t count;

        if (read(pool->done_fd, &count, sizeof(count)) < 0)
                return NULL;
        (void)pthread_mutex_lock(&pool->lock);
        jobs = pool->done.first;
        queue_init(&pool->done);
        (void)pthread_mutex_unlock(&pool->lock);
        return jobs;
}
