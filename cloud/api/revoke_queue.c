/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/revoke_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "cloud/api/delivery_error.h"
#include "cloud/api/journal.h"

enum {
        CALL_MS = 8 * 1000, /* for one attempt */
        PAUSE_FIRST_MS = 1000,
        PAUSE_MAX_MS = 16 * 1000,
};

#define NS_PER_MS INT64_C(1000000)

struct entry {
        struct entry *next;
        struct revoke_job job;
        int64_t due_ns, pause_ms;
};

struct revoke_queue {
        struct audit *audit;
        struct delivery *delivery;

        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool stop;
        size_t n; /* waiting, and under way */
        struct entry *waiting;
        const struct entry *under_way[REVOKE_QUEUE_THREADS]; /* NULL: that thread has none */

        size_t n_threads;
        pthread_t threads[REVOKE_QUEUE_THREADS];
};

/* --- one attempt ------------------------------------------------------------------------------------------------- */

static bool has_ended(const struct revoke_job *job) {
        return (int64_t)time(NULL) >= job->keys_end_s;
}

/* How it ended. Nothing depends on the line: a revocation only takes away. */
static void note(struct revoke_queue *queue, const struct revoke_job *job, const char *message) {
        const struct audit_event event = {
                .kind = AUDIT_NOTE,
                .request_id = job->request_id,
                .account = job->account,
                .action = "compute:instance:revoke",
                .vm_id = job->instance,
                .host = job->host,
                .os_user = job->user[0] ? job->user : NULL,
                .fingerprint = job->fingerprint[0] ? job->fingerprint : NULL,
                .message = message,
        };
        char head[AUDIT_HASH_MAX];
        int r = audit_write(queue->audit, &event, head);

        if (r < 0)
                journal_note(LOG_ERR, "audit: cannot write how a revocation of %s ended: %s: %s", job->instance,
                             message, strerror(-r));
}

/* Whether nothing is left to do: the guest has taken it, or refuses it. */
static bool attempt(struct revoke_queue *queue, const struct revoke_job *job) {
        const struct signer_revoke revoke = {
                .instance = job->instance,
                .fingerprint = job->fingerprint[0] ? job->fingerprint : NULL,
                .user = job->user[0] ? job->user : NULL,
                .reason = {.principal = job->account, .request_id = job->request_id, .audit_head = job->audit_head},
        };
        const struct delivery_order order = {
                .instance = job->instance,
                .host = job->host,
                .revoke = &revoke,
                .deadline_ns = monotonic_ns() + CALL_MS * NS_PER_MS,
        };
        struct delivery_outcome outcome;
        char message[128];

        delivery_send(queue->delivery, &order, &outcome);
        if (outcome.end == DELIVERY_DONE) {
                (void)snprintf(message, sizeof(message), "revocation delivered, %lld keys dropped",
                               (long long)outcome.revoked);
                note(queue, job, message);
                return true;
        }
        if (delivery_is_refused(&outcome)) {
                (void)snprintf(message, sizeof(message), "revocation refused by the %s%s",
                               outcome.end == DELIVERY_NOT_SIGNED ? "signer" : "guest: ",
                               outcome.end == DELIVERY_NOT_SIGNED ? "" : outcome.host_fault.guest_error);
                note(queue, job, message);
                return true;
        }
        if (outcome.end != DELIVERY_NO_HOST)
                return false;
        note(queue, job, "revocation not delivered: no host of that name is configured");
        return true;
}

/* --- the queue --------------------------------------------------------------------------------------------------- */

static size_t under_way_at(const struct revoke_queue *queue, const char *host) {
        size_t n = 0;

        for (size_t i = 0; i < REVOKE_QUEUE_THREADS; i++)
                n += queue->under_way[i] && strcmp(queue->under_way[i]->job.host, host) == 0;
        return n;
}

/* Takes the first that is due and whose host has room. NULL: `ret_due_ns` is the earliest that may become so by time. */
static struct entry *take_due(struct revoke_queue *queue, int64_t *ret_due_ns) {
        int64_t now = monotonic_ns();

        *ret_due_ns = INT64_MAX;
        for (struct entry **at = &queue->waiting; *at; at = &(*at)->next) {
                struct entry *entry = *at;

                if (under_way_at(queue, entry->job.host) >= REVOKE_QUEUE_PER_HOST)
                        continue;
                if (entry->due_ns <= now) {
                        *at = entry->next;
                        return entry;
                }
                if (entry->due_ns < *ret_due_ns)
                        *ret_due_ns = entry->due_ns;
        }
        return NULL;
}

static void wait_until(struct revoke_queue *queue, int64_t due_ns) {
        struct timespec until = {.tv_sec = due_ns / 1000 / NS_PER_MS, .tv_nsec = due_ns % (1000 * NS_PER_MS)};

        if (due_ns == INT64_MAX)
                (void)pthread_cond_wait(&queue->changed, &queue->lock);
        else
                (void)pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
}

static void append(struct revoke_queue *queue, struct entry *entry) {
        struct entry **at = &queue->waiting;

        while (*at)
                at = &(*at)->next;
        entry->next = NULL;
        *at = entry;
}

/* With the lock, which is released meanwhile. Frees the entry, or lets it wait for its next attempt. */
static void work(struct revoke_queue *queue, size_t thread, struct entry *entry) {
        bool done;

        queue->under_way[thread] = entry;
        (void)pthread_mutex_unlock(&queue->lock);
        done = has_ended(&entry->job) || attempt(queue, &entry->job);
        if (!done && has_ended(&entry->job)) {
                note(queue, &entry->job, "revocation not delivered: its keys have ended");
                done = true;
        }
        (void)pthread_mutex_lock(&queue->lock);
        queue->under_way[thread] = NULL;
        if (done) {
                queue->n--;
                free(entry);
        } else {
                entry->due_ns = monotonic_ns() + entry->pause_ms * NS_PER_MS;
                entry->pause_ms = 2 * entry->pause_ms < PAUSE_MAX_MS ? 2 * entry->pause_ms : PAUSE_MAX_MS;
                append(queue, entry);
        }
        /* Its host has room again. */
        (void)pthread_cond_broadcast(&queue->changed);
}

static void *serve(void *context) {
        struct revoke_queue *queue = context;
        size_t thread;

        (void)pthread_mutex_lock(&queue->lock);
        thread = queue->n_threads++;
        while (!queue->stop) {
                int64_t due_ns;
                struct entry *entry = take_due(queue, &due_ns);

                if (entry)
                        work(queue, thread, entry);
                else
                        wait_until(queue, due_ns);
        }
        (void)pthread_mutex_unlock(&queue->lock);
        return NULL;
}

bool revoke_queue_add(struct revoke_queue *queue, const struct revoke_job *job) {
        struct entry *entry = malloc(sizeof(*entry));
        bool taken = false;

        if (entry) {
                *entry = (struct entry){.job = *job, .pause_ms = PAUSE_FIRST_MS};
                (void)pthread_mutex_lock(&queue->lock);
                taken = queue->n < REVOKE_QUEUE_MAX && !queue->stop;
                if (taken) {
                        queue->n++;
                        append(queue, entry);
                        (void)pthread_cond_broadcast(&queue->changed);
                }
                (void)pthread_mutex_unlock(&queue->lock);
        }
        if (!taken) {
                free(entry);
                journal_note(LOG_ERR, "revocations: %d wait already; that of %s for request %s is not sent",
                             REVOKE_QUEUE_MAX, job->instance, job->request_id);
        }
        return taken;
}

int revoke_queue_start(struct audit *audit, struct delivery *delivery, struct revoke_queue **ret) {
        struct revoke_queue *queue = calloc(1, sizeof(*queue));
        pthread_condattr_t monotonic;
        size_t started = 0;
        int r = 0;

        if (!queue)
                return -ENOMEM;
        queue->audit = audit;
        queue->delivery = delivery;
        (void)pthread_mutex_init(&queue->lock, NULL);
        (void)pthread_condattr_init(&monotonic);
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&queue->changed, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
        while (r == 0 && started < REVOKE_QUEUE_THREADS) {
                r = -pthread_create(&queue->threads[started], NULL, serve, queue);
                started += r == 0;
        }
        if (r == 0) {
                *ret = queue;
                return 0;
        }
        (void)pthread_mutex_lock(&queue->lock);
        queue->stop = true;
        (void)pthread_mutex_unlock(&queue->lock);
        for (size_t i = 0; i < started; i++)
                (void)pthread_join(queue->threads[i], NULL);
        free(queue);
        return r;
}

void revoke_queue_stop(struct revoke_queue *queue) {
        struct entry *entry, *next;

        if (!queue)
                return;
        (void)pthread_mutex_lock(&queue->lock);
        queue->stop = true;
        (void)pthread_cond_broadcast(&queue->changed);
        (void)pthread_mutex_unlock(&queue->lock);
        for (size_t i = 0; i < REVOKE_QUEUE_THREADS; i++)
                (void)pthread_join(queue->threads[i], NULL);
        if (queue->n > 0)
                journal_note(LOG_WARNING, "revocations: %zu were not delivered; the keys end by themselves", queue->n);
        for (entry = queue->waiting; entry; entry = next) {
                next = entry->next;
                free(entry);
        }
        (void)pthread_cond_destroy(&queue->changed);
        (void)pthread_mutex_destroy(&queue->lock);
        free(queue);
}
