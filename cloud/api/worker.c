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

struct worker_pool {
        const struct api *api;
        pthread_mutex_t lock;
        pthread_cond_t more; /* a job that may be taken, or the end */
        struct queue fast, slow, done;
        size_t n_waiting, n_slow, n_slow_max;
        bool stop;
        int done_fd;
        size_t n_threads;
        pthread_t thread[];
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

/* With the lock held. NULL at the end. */
static struct worker_job *wait_for_job(struct worker_pool *pool) {
        for (;;) {
                struct worker_job *job = queue_take(&pool->fast);

                if (!job && pool->n_slow < pool->n_slow_max)
                        job = queue_take(&pool->slow);
                if (job || (pool->stop && pool->n_waiting == 0))
                        return job;
                (void)pthread_cond_wait(&pool->more, &pool->lock);
        }
}

/* Opened again with the next job where that failed, for a database that comes later. */
static void open_store(const struct worker_pool *pool, struct store **store) {
        char why[STORE_WHY_MAX];

        if (!*store && api_open_store(pool->api, store, why) < 0)
                journal_note(LOG_ERR, "store: %s", why);
}

static void *run(void *context) {
        struct worker_pool *pool = context;
        struct store *store = NULL;
        struct worker_job *job;
        uint64_t one = 1;

        (void)pthread_mutex_lock(&pool->lock);
        while ((job = wait_for_job(pool)) != NULL) {
                bool slow = job->slow;

                pool->n_waiting--;
                pool->n_slow += slow;
                (void)pthread_mutex_unlock(&pool->lock);
                open_store(pool, &store);
                job->run(job, store);
                (void)pthread_mutex_lock(&pool->lock);
                queue_put(&pool->done, job);
                pool->n_slow -= slow;
                if ((slow && pool->slow.first) || (pool->stop && pool->n_waiting == 0))
                        (void)pthread_cond_broadcast(&pool->more);
                if (write(pool->done_fd, &one, sizeof(one)) < 0)
                        journal_note(LOG_ERR, "eventfd: %s", strerror(errno));
        }
        (void)pthread_mutex_unlock(&pool->lock);
        store_close(store);
        return NULL;
}

/* --- the pool ------------------------------------------------------------------------------------------------------- */

int worker_pool_start(const struct api *api, size_t n, struct worker_pool **ret) {
        struct worker_pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->thread[0]));
        int r;

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
        (void)pthread_cond_init(&pool->more, NULL);
        for (r = 0; r == 0 && pool->n_threads < n; pool->n_threads += r == 0)
                r = -pthread_create(&pool->thread[pool->n_threads], NULL, run, pool);
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
        (void)pthread_cond_broadcast(&pool->more);
        (void)pthread_mutex_unlock(&pool->lock);
        for (size_t i = 0; i < pool->n_threads; i++)
                (void)pthread_join(pool->thread[i], NULL);
        (void)pthread_cond_destroy(&pool->more);
        (void)pthread_mutex_destroy(&pool->lock);
        (void)close(pool->done_fd);
        free(pool);
}

bool worker_submit(struct worker_pool *pool, struct worker_job *job) {
        bool taken;

        (void)pthread_mutex_lock(&pool->lock);
        taken = pool->n_waiting < WORKER_QUEUE_MAX && !pool->stop;
        if (taken) {
                queue_put(job->slow ? &pool->slow : &pool->fast, job);
                pool->n_waiting++;
                (void)pthread_cond_signal(&pool->more);
        }
        (void)pthread_mutex_unlock(&pool->lock);
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
