/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership of a lookup:
 *
 * 1. The loop makes it and passes it to a thread: the idle one, through `struct shared`, or a new one. From then on the
 *    loop uses only its first part, the thread only the second.
 * 2. The thread appends it to the completed lookups in `struct shared`. It belongs to the loop again, which frees it.
 * 3. If the loop has closed `struct shared` meanwhile, the thread frees it. `struct shared` is freed by its last user.
 *
 * A thread that completed a lookup waits for the next one, unless another already waits: then it ends. Only a waiting
 * thread is given a lookup, so none queues behind one that hangs.
 *
 * A timeout or nss_cancel() only clears the callback.
 */
#include "agent/nss.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "agent/nss_query.h"
#include "common/clock.h"
#include "confine/syscall_trap.h"

enum {
        THREAD_STACK = 512 * 1024, /* bytes */
        TIMER_ACCURACY_US = 10 * 1000,
};

STAILQ_HEAD(lookup_queue, nss_lookup);

/* What the loop and the threads share. */
struct shared {
        pthread_mutex_t lock;
        unsigned refs; /* the loop, and each thread */
        bool closed;   /* by the loop */
        int event_fd;  /* counts completed lookups */
        struct lookup_queue completed;
        bool idle;               /* a thread waits for `next` */
        struct nss_lookup *next; /* for the idle thread, which has not taken it yet */
        pthread_cond_t wake;     /* `next` or `closed` was set */
};

struct nss {
        sd_event *event;
        sd_event_source *source;
        int64_t priority;
        uint64_t limit_us;
        unsigned n_threads; /* with a lookup */
        LIST_HEAD(, nss_lookup) lookups;
        struct shared *shared;
};

struct nss_lookup {
        /* used by the loop */
        struct nss *nss;
        nss_done done; /* NULL: timed out or cancelled */
        void *context;
        sd_event_source *source; /* the timeout; without a thread, what calls `done` */
        bool has_thread;
        LIST_ENTRY(nss_lookup) entry;

        /* used by the thread; `user` and `shared` never change */
        char user[NSS_USER_MAX + 1];
        struct shared *shared;
        struct nss_answer answer;
        struct nss_group *groups;
        STAILQ_ENTRY(nss_lookup) completed_entry;
};

static void lookup_free(struct nss_lookup *lookup) {
        for (size_t i = 0; lookup->groups && i < lookup->answer.n_groups; i++)
                free(lookup->groups[i].name);
        free(lookup->groups);
        free(lookup);
}

/* --- what the loop and the threads share -------------------------------------------------------------------------- */

static struct shared *shared_new(void) {
        struct shared *shared = calloc(1, sizeof(*shared));

        if (!shared)
                return NULL;
        /* On Linux these two cannot fail. */
        (void)pthread_mutex_init(&shared->lock, NULL);
        (void)pthread_cond_init(&shared->wake, NULL);
        shared->refs = 1;
        STAILQ_INIT(&shared->completed);
        shared->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return shared;
}

/* Called with the lock held, and releases it. */
static void shared_unref(struct shared *shared) {
        bool last = --shared->refs == 0;

        (void)pthread_mutex_unlock(&shared->lock);
        if (!last)
                return;
        if (shared->event_fd >= 0)
                (void)close(shared->event_fd);
        (void)pthread_cond_destroy(&shared->wake);
        (void)pthread_mutex_destroy(&shared->lock);
        free(shared);
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void complete(struct shared *shared, struct nss_lookup *lookup) {
        bool closed;

        (void)pthread_mutex_lock(&shared->lock);
        closed = shared->closed;
        if (!closed)
                STAILQ_INSERT_TAIL(&shared->completed, lookup, completed_entry);
        (void)pthread_mutex_unlock(&shared->lock);
        if (closed)
                lookup_free(lookup);
        else /* after the unlock: the loop takes the lock first */
                (void)eventfd_write(shared->event_fd, 1);
}

/* Called with the lock held. NULL: this thread is not needed any more. */
static struct nss_lookup *wait_for_next(struct shared *shared) {
        struct nss_lookup *next;

        if (shared->idle)
                return NULL;
        shared->idle = true;
        while (!shared->next && !shared->closed)
                (void)pthread_cond_wait(&shared->wake, &shared->lock);
        shared->idle = false;
        next = shared->next;
        shared->next = NULL;
        return next;
}

/* A call that a module was refused may have kept a group from it, so its answer does not count. */
static void check_calls(struct nss_answer *answer) {
        struct syscall_refused refused = syscall_trap_take();
        char call[SYSCALL_TEXT_MAX];

        if (refused.architecture == 0)
                return;
        syscall_text(refused, call);
        nss_query_fail(answer,
                       "name service: a module made the system call %s, which the agent may not make; see --seccomp in "
                       "exc-instance-connect-agent(8)",
                       call);
}

static void *run_lookups(void *argument) {
        struct nss_lookup *lookup = argument;
        struct shared *shared = lookup->shared;

        syscall_trap_spare_thread();
        while (lookup) {
                nss_query(lookup->user, lookup->groups, lookup->answer.n_groups, &lookup->answer);
                check_calls(&lookup->answer);
                complete(shared, lookup);
                (void)pthread_mutex_lock(&shared->lock);
                lookup = wait_for_next(shared);
                if (lookup)
                        (void)pthread_mutex_unlock(&shared->lock);
        }
        shared_unref(shared);
        return NULL;
}

static bool give_to_idle_thread(struct nss_lookup *lookup) {
        struct shared *shared = lookup->shared;
        bool given;

        (void)pthread_mutex_lock(&shared->lock);
        given = shared->idle && !shared->next;
        if (given)
                shared->next = lookup; /* transferred */
        (void)pthread_mutex_unlock(&shared->lock);
        if (given) /* after the unlock: the thread takes the lock first */
                (void)pthread_cond_signal(&shared->wake);
        return given;
}

static int start_thread(struct nss_lookup *lookup) {
        struct shared *shared = lookup->shared;
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;
        r = pthread_attr_setstacksize(&attributes, THREAD_STACK);
        if (r == 0)
                r = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        if (r == 0) {
                (void)pthread_mutex_lock(&shared->lock);
                shared->refs++;
                (void)pthread_mutex_unlock(&shared->lock);

                /*
                 * The thread inherits the mask: signals are delivered to the loop from its first instruction on, but for
                 * that of its own refused calls.
                 */
                (void)sigfillset(&all);
                (void)sigdelset(&all, SIGSYS);
                (void)pthread_sigmask(SIG_SETMASK, &all, &before);
                r = pthread_create(&thread, &attributes, run_lookups, lookup);
                (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
                if (r != 0) {
                        (void)pthread_mutex_lock(&shared->lock);
                        shared_unref(shared);
                }
        }
        (void)pthread_attr_destroy(&attributes);
        return -r;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* Clears the callback and the timeout. The callback, or NULL where it was cleared before. */
static nss_done take_done(struct nss_lookup *lookup) {
        nss_done done = lookup->done;

        lookup->source = sd_event_source_disable_unref(lookup->source);
        lookup->done = NULL;
        return done;
}

static bool is_completed(struct nss_lookup *lookup) {
        struct nss_lookup *one;

        (void)pthread_mutex_lock(&lookup->shared->lock);
        STAILQ_FOREACH(one, &lookup->shared->completed, completed_entry)
                if (one == lookup)
                        break;
        (void)pthread_mutex_unlock(&lookup->shared->lock);
        return one;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *context) {
        struct nss_answer answer = {.outcome = NSS_TIMEOUT};
        struct nss_lookup *lookup = context;
        nss_done done;

        (void)source;
        (void)usec;
        if (is_completed(lookup))
                return 0; /* on_completed() comes next */

        /* lookup->answer belongs to the thread. */
        (void)snprintf(answer.user, sizeof(answer.user), "%s", lookup->user);
        (void)snprintf(answer.message, sizeof(answer.message), "name service: lookup of user %.64s timed out",
                       lookup->user);
        done = take_done(lookup);
        if (done)
                done(lookup->context, &answer);
        return 0;
}

static void lookup_end(struct nss_lookup *lookup) {
        nss_done done;

        LIST_REMOVE(lookup, entry);
        if (lookup->has_thread)
                lookup->nss->n_threads--;
        lookup->answer.groups = lookup->groups;
        done = take_done(lookup);
        if (done)
                done(lookup->context, &lookup->answer);
        lookup_free(lookup);
}

static int on_no_thread(sd_event_source *source, void *context) {
        (void)source;
        lookup_end(context);
        return 0;
}

static int on_completed(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct lookup_queue completed = STAILQ_HEAD_INITIALIZER(completed);
        struct nss *nss = context;
        struct nss_lookup *lookup;
        eventfd_t count;

        (void)source;
        (void)events;

        (void)eventfd_read(fd, &count);
        (void)pthread_mutex_lock(&nss->shared->lock);
        STAILQ_CONCAT(&completed, &nss->shared->completed);
        (void)pthread_mutex_unlock(&nss->shared->lock);

        while ((lookup = STAILQ_FIRST(&completed))) {
                STAILQ_REMOVE_HEAD(&completed, completed_entry);
                lookup_end(lookup);
        }
        return 0;
}

int nss_new(sd_event *event, int64_t priority, uint64_t limit_us, struct nss **ret) {
        struct nss *nss;
        int r;

        nss = calloc(1, sizeof(*nss));
        if (!nss)
                return -ENOMEM;
        nss->shared = shared_new();
        if (!nss->shared) {
                free(nss);
                return -ENOMEM;
        }
        nss->event = sd_event_ref(event);
        nss->priority = priority;
        nss->limit_us = limit_us;
        LIST_INIT(&nss->lookups);
        r = nss->shared->event_fd < 0
                    ? -errno
                    : sd_event_add_io(event, &nss->source, nss->shared->event_fd, EPOLLIN, on_completed, nss);
        if (r >= 0)
                r = sd_event_source_set_priority(nss->source, priority);
        if (r < 0) {
                nss_free(nss);
                return r;
        }
        *ret = nss;
        return 0;
}

static int copy_groups(struct nss_lookup *lookup, char *const *groups, size_t n) {
        lookup->groups = calloc(n > 0 ? n : 1, sizeof(*lookup->groups));
        if (!lookup->groups)
                return -ENOMEM;
        for (; lookup->answer.n_groups < n; lookup->answer.n_groups++) {
                struct nss_group *group = &lookup->groups[lookup->answer.n_groups];

                group->name = strdup(groups[lookup->answer.n_groups]);
                if (!group->name)
                        return -ENOMEM;
        }
        return 0;
}

static int lookup_new(struct nss *nss, const char *user, char *const *groups, size_t n_groups,
                      struct nss_lookup **ret) {
        struct nss_lookup *lookup;
        int r;

        if (user[0] == '\0' || strlen(user) > NSS_USER_MAX)
                return -EINVAL;
        lookup = calloc(1, sizeof(*lookup));
        if (!lookup)
                return -ENOMEM;
        lookup->nss = nss;
        lookup->shared = nss->shared;
        (void)snprintf(lookup->user, sizeof(lookup->user), "%s", user);
        (void)snprintf(lookup->answer.user, sizeof(lookup->answer.user), "%s", user);
        r = copy_groups(lookup, groups, n_groups);
        if (r < 0) {
                lookup_free(lookup);
                return r;
        }
        *ret = lookup;
        return 0;
}

/* Not the loop's time, which does not move during a long call. */
static uint64_t monotonic_us(void) {
        return (uint64_t)clock_us(CLOCK_MONOTONIC);
}

/* Without a thread, and with NSS_FAILURE in its answer, where none is to be had. */
static int start(struct nss_lookup *lookup) {
        struct nss *nss = lookup->nss;
        int r;

        if (nss->n_threads >= NSS_LOOKUPS_MAX) {
                nss_query_fail(&lookup->answer, "name service: %d lookups are not answered yet; push again later",
                               NSS_LOOKUPS_MAX);
                return 0;
        }
        /* First the timeout: once the thread runs, this cannot fail any more. */
        r = sd_event_add_time(nss->event, &lookup->source, CLOCK_MONOTONIC, monotonic_us() + nss->limit_us,
                              TIMER_ACCURACY_US, on_timeout, lookup);
        if (r >= 0)
                r = sd_event_source_set_priority(lookup->source, nss->priority);
        if (r < 0)
                return r;
        lookup->has_thread = give_to_idle_thread(lookup) || start_thread(lookup) >= 0;
        if (lookup->has_thread)
                nss->n_threads++;
        else
                nss_query_fail(&lookup->answer, "name service: cannot start a thread; push again later");
        return 0;
}

int nss_lookup(struct nss *nss, const char *user, char *const *groups, size_t n_groups, nss_done done, void *context,
               struct nss_lookup **ret) {
        struct nss_lookup *lookup;
        int r;

        r = lookup_new(nss, user, groups, n_groups, &lookup);
        if (r < 0)
                return r;
        lookup->done = done;
        lookup->context = context;
        r = start(lookup);
        if (r >= 0 && !lookup->has_thread) {
                lookup->source = sd_event_source_disable_unref(lookup->source);
                r = sd_event_add_defer(nss->event, &lookup->source, on_no_thread, lookup);
                if (r >= 0)
                        r = sd_event_source_set_priority(lookup->source, nss->priority);
        }
        if (r < 0) {
                (void)sd_event_source_disable_unref(lookup->source);
                lookup_free(lookup);
                return r;
        }
        LIST_INSERT_HEAD(&nss->lookups, lookup, entry);
        *ret = lookup;
        return 0;
}

void nss_cancel(struct nss_lookup *lookup) {
        (void)take_done(lookup);
        /* Without a thread nothing would complete it. */
        if (!lookup->has_thread)
                lookup_end(lookup);
}

void nss_free(struct nss *nss) {
        struct nss_lookup *lookup, *next;
        struct shared *shared;

        if (!nss)
                return;
        for (lookup = LIST_FIRST(&nss->lookups); lookup; lookup = next) {
                next = LIST_NEXT(lookup, entry);
                nss_cancel(lookup);
        }

        (void)sd_event_source_disable_unref(nss->source);
        shared = nss->shared;
        (void)pthread_mutex_lock(&shared->lock);
        shared->closed = true;
        (void)pthread_cond_signal(&shared->wake);
        while ((lookup = STAILQ_FIRST(&shared->completed))) {
                STAILQ_REMOVE_HEAD(&shared->completed, completed_entry);
                lookup_free(lookup);
        }
        shared_unref(shared);

        sd_event_unref(nss->event);
        free(nss);
}
