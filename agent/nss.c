/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a lookup:
 *
 * 1. The loop makes it and hands it to a thread: the one that waits, through `struct returned`, or a new one. From then on
 *    the loop touches only the first part of it, the thread only the second.
 * 2. The thread lays it down in `struct returned`, and with that it is the loop's again, which frees it.
 * 3. If the loop has closed `returned` meanwhile, the thread frees it. `returned` itself goes with the last who has it.
 *
 * A thread that has brought its lookup back waits for the next one, unless another already waits: then it ends. Only a
 * thread that waits is handed anything, so a lookup never comes behind one that hangs.
 *
 * A timeout or a cancellation takes away only the callback: the way of the lookup is the same.
 */
#include "agent/nss.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

enum {
        THREAD_STACK = 512 * 1024,
        BUFFER_FIRST = 4 * 1024,
        USER_BUFFER_MAX = 1024 * 1024,
        GROUP_BUFFER_MAX = 8 * 1024 * 1024, /* a group comes with the names of all its members */
        GROUPS_FIRST = 64,
        GROUPS_MAX = 65536, /* NGROUPS_MAX of Linux */
        TIMER_ACCURACY_US = 10 * 1000,
};

STAILQ_HEAD(lookups_returned, nss_lookup);

struct returned {
        pthread_mutex_t lock;
        unsigned holders; /* the loop, and each thread */
        bool closed;      /* by the loop: nobody listens */
        int fd;           /* written when a lookup has come back; open as long as anybody holds this */
        struct lookups_returned lookups;
        bool waits;              /* a thread, for `next` */
        struct nss_lookup *next; /* handed to it, and not taken yet */
        pthread_cond_t handed;   /* or closed */
};

struct nss {
        sd_event *event;
        sd_event_source *source;
        int64_t priority;
        uint64_t limit_us;
        unsigned n_threads;
        LIST_HEAD(, nss_lookup) lookups;
        struct returned *returned;
};

struct nss_lookup {
        /* the loop's */
        struct nss *nss;
        nss_done done; /* NULL: nobody waits for it */
        void *context;
        sd_event_source *source; /* its time limit, or where it has no thread, what answers it */
        bool threaded;
        LIST_ENTRY(nss_lookup) entry;

        /* the thread's, but `asked` and `returned`, which never change */
        char asked[NSS_USER_MAX + 1];
        struct returned *returned;
        struct nss_answer answer;
        struct nss_group *groups;
        STAILQ_ENTRY(nss_lookup) returned_entry;
};

static void lookup_free(struct nss_lookup *lookup) {
        for (size_t i = 0; lookup->groups && i < lookup->answer.n_groups; i++)
                free(lookup->groups[i].name);
        free(lookup->groups);
        free(lookup);
}

/* Called with the lock held, and releases it. */
static void returned_leave(struct returned *returned) {
        bool last = --returned->holders == 0;

        (void)pthread_mutex_unlock(&returned->lock);
        if (!last)
                return;
        if (returned->fd >= 0)
                (void)close(returned->fd);
        (void)pthread_cond_destroy(&returned->handed);
        (void)pthread_mutex_destroy(&returned->lock);
        free(returned);
}

__attribute__((format(printf, 2, 3))) static void answer_failure(struct nss_answer *answer, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(answer->message, sizeof(answer->message), format, arguments);
        va_end(arguments);
        answer->outcome = NSS_FAILURE;
}

/* The thread */

static void answer_errno(struct nss_answer *answer, const char *what, const char *name, int error) {
        char text[128];

        /* Names are cut so that the reason is not. */
        answer_failure(answer, "The name service failed on %s %.64s: %s", what, name,
                       strerror_r(error, text, sizeof(text)));
}

/* Gives `*buffer`, in which nothing is kept, twice its size, or BUFFER_FIRST bytes. */
static int grow(char **buffer, size_t *size, size_t limit) {
        size_t wanted = *size > 0 ? *size * 2 : BUFFER_FIRST;

        if (wanted > limit)
                return ERANGE;
        free(*buffer);
        *size = 0;
        *buffer = malloc(wanted);
        if (!*buffer)
                return ENOMEM;
        *size = wanted;
        return 0;
}

static bool ask_user(const char *user, struct nss_answer *answer) {
        struct passwd entry, *found = NULL;
        char *buffer = NULL;
        size_t size = 0;
        bool good = false;
        int r;

        do {
                r = grow(&buffer, &size, USER_BUFFER_MAX);
                if (r != 0)
                        break;
                r = getpwnam_r(user, &entry, buffer, size, &found);
        } while (r == ERANGE);

        /*
         * getpwnam(3) lists what modules return for a user that they do not know, and some of it means a failure with
         * others. Only these two are taken for "no such user"; either way nobody gets in.
         */
        if (!found && (r == 0 || r == ENOENT || r == ESRCH))
                answer->outcome = NSS_NO_SUCH_USER;
        else if (r != 0)
                answer_errno(answer, "user", user, r);
        else if (entry.pw_name[0] == '\0' || strlen(entry.pw_name) > NSS_USER_MAX)
                answer_failure(answer, "The name service gave user %.64s a name that is empty or too long", user);
        else if (entry.pw_uid == (uid_t)-1 || entry.pw_gid == (gid_t)-1)
                answer_failure(answer, "The name service gave user %.64s an id that nobody can have", user);
        else {
                (void)snprintf(answer->user, sizeof(answer->user), "%s", entry.pw_name);
                answer->uid = entry.pw_uid;
                answer->gid = entry.pw_gid;
                good = true;
        }
        free(buffer);
        return good;
}

static int gids_of(const struct nss_answer *answer, gid_t **ret, int *ret_n) {
        gid_t *gids = NULL, *larger;
        int room = GROUPS_FIRST, n;

        for (;;) {
                larger = reallocarray(gids, (size_t)room, sizeof(*gids));
                if (!larger)
                        break;
                gids = larger;
                n = room;
                if (getgrouplist(answer->user, answer->gid, gids, &n) >= 0) {
                        *ret = gids;
                        *ret_n = n;
                        return 0;
                }
                /* getgrouplist(3) is to say how many there are; a call that does not must still come to an end. */
                room = n > room ? n : room * 2;
                if (room > GROUPS_MAX) {
                        free(gids);
                        return E2BIG;
                }
        }
        free(gids);
        return ENOMEM;
}

static bool ask_groups(struct nss_lookup *lookup) {
        struct nss_answer *answer = &lookup->answer;
        gid_t *gids = NULL;
        char *buffer = NULL;
        size_t size = 0;
        int n_gids = 0, r;

        if (answer->n_groups == 0)
                return true;

        r = gids_of(answer, &gids, &n_gids);
        if (r != 0) {
                answer_errno(answer, "the groups of", answer->user, r);
                return false;
        }
        for (size_t i = 0; i < answer->n_groups; i++) {
                struct nss_group *group = &lookup->groups[i];
                struct group entry, *found = NULL;

                for (;;) {
                        r = size > 0 ? getgrnam_r(group->name, &entry, buffer, size, &found) : ERANGE;
                        if (r != ERANGE)
                                break;
                        r = grow(&buffer, &size, GROUP_BUFFER_MAX);
                        if (r != 0)
                                break;
                }
                /*
                 * Only a clear "no" passes for a group that does not exist: nobody is in it, which opens what
                 * DenyGroups closes.
                 */
                if (r != 0) {
                        answer_errno(answer, "group", group->name, r);
                        break;
                }
                for (int k = 0; found && k < n_gids; k++)
                        if (gids[k] == entry.gr_gid)
                                group->member = true;
        }
        free(buffer);
        free(gids);
        return r == 0;
}

static void bring_back(struct returned *returned, struct nss_lookup *lookup) {
        bool closed;

        (void)pthread_mutex_lock(&returned->lock);
        closed = returned->closed;
        if (!closed)
                STAILQ_INSERT_TAIL(&returned->lookups, lookup, returned_entry);
        (void)pthread_mutex_unlock(&returned->lock);
        if (closed)
                lookup_free(lookup);
        else /* without the lock, which is the first thing that the loop then asks for */
                (void)eventfd_write(returned->fd, 1);
}

/* Called with the lock held. NULL: there is none for this thread any more. */
static struct nss_lookup *wait_for_next(struct returned *returned) {
        struct nss_lookup *next;

        if (returned->waits)
                return NULL;
        returned->waits = true;
        while (!returned->next && !returned->closed)
                (void)pthread_cond_wait(&returned->handed, &returned->lock);
        returned->waits = false;
        next = returned->next;
        returned->next = NULL;
        return next;
}

static void *lookup_thread(void *argument) {
        struct nss_lookup *lookup = argument;
        struct returned *returned = lookup->returned;

        while (lookup) {
                if (ask_user(lookup->asked, &lookup->answer) && ask_groups(lookup))
                        lookup->answer.outcome = NSS_FOUND;
                bring_back(returned, lookup);
                (void)pthread_mutex_lock(&returned->lock);
                lookup = wait_for_next(returned);
                if (lookup)
                        (void)pthread_mutex_unlock(&returned->lock);
        }
        returned_leave(returned);
        return NULL;
}

static bool hand_over(struct nss_lookup *lookup) {
        struct returned *returned = lookup->returned;
        bool handed;

        (void)pthread_mutex_lock(&returned->lock);
        handed = returned->waits && !returned->next;
        if (handed)
                returned->next = lookup; /* transferred */
        (void)pthread_mutex_unlock(&returned->lock);
        if (handed) /* without the lock, which is the first thing that the thread then asks for */
                (void)pthread_cond_signal(&returned->handed);
        return handed;
}

static int start_thread(struct nss_lookup *lookup) {
        struct returned *returned = lookup->returned;
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
                (void)pthread_mutex_lock(&returned->lock);
                returned->holders++;
                (void)pthread_mutex_unlock(&returned->lock);

                /* Signals are the loop's, also in the moment before the thread could block them itself. */
                (void)sigfillset(&all);
                (void)pthread_sigmask(SIG_SETMASK, &all, &before);
                r = pthread_create(&thread, &attributes, lookup_thread, lookup);
                (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
                if (r != 0) {
                        (void)pthread_mutex_lock(&returned->lock);
                        returned_leave(returned);
                }
        }
        (void)pthread_attr_destroy(&attributes);
        return -r;
}

/* The loop */

/* Ends the loop's interest in a lookup, and says whether there was any. */
static bool detach(struct nss_lookup *lookup, nss_done *ret_done) {
        nss_done done = lookup->done;

        lookup->source = sd_event_source_disable_unref(lookup->source);
        lookup->done = NULL;
        if (!done)
                return false;
        *ret_done = done;
        return true;
}

/* Whether its thread has laid it down, and only the loop has not taken it up yet. */
static bool is_back(struct nss_lookup *lookup) {
        struct nss_lookup *one;

        (void)pthread_mutex_lock(&lookup->returned->lock);
        STAILQ_FOREACH(one, &lookup->returned->lookups, returned_entry)
        if (one == lookup)
                break;
        (void)pthread_mutex_unlock(&lookup->returned->lock);
        return one;
}

static int on_time(sd_event_source *source, uint64_t usec, void *context) {
        struct nss_lookup *lookup = context;
        struct nss_answer answer = {.outcome = NSS_TIMEOUT};
        nss_done done;

        (void)source;
        (void)usec;
        if (is_back(lookup))
                return 0;

        /* The thread still has its own answer. */
        (void)snprintf(answer.user, sizeof(answer.user), "%s", lookup->asked);
        (void)snprintf(answer.message, sizeof(answer.message),
                       "The name service did not answer in time about user %.64s", lookup->asked);
        if (detach(lookup, &done))
                done(lookup->context, &answer);
        return 0;
}

static void lookup_end(struct nss_lookup *lookup) {
        nss_done done;

        LIST_REMOVE(lookup, entry);
        if (lookup->threaded)
                lookup->nss->n_threads--;
        lookup->answer.groups = lookup->groups;
        if (detach(lookup, &done))
                done(lookup->context, &lookup->answer);
        lookup_free(lookup);
}

static int on_refused(sd_event_source *source, void *context) {
        (void)source;
        lookup_end(context);
        return 0;
}

static int on_returned(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct nss *nss = context;
        struct lookups_returned lookups = STAILQ_HEAD_INITIALIZER(lookups);
        struct nss_lookup *lookup;
        eventfd_t count;

        (void)source;
        (void)events;

        (void)eventfd_read(fd, &count);
        (void)pthread_mutex_lock(&nss->returned->lock);
        STAILQ_CONCAT(&lookups, &nss->returned->lookups);
        (void)pthread_mutex_unlock(&nss->returned->lock);

        while ((lookup = STAILQ_FIRST(&lookups))) {
                STAILQ_REMOVE_HEAD(&lookups, returned_entry);
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
        nss->returned = calloc(1, sizeof(*nss->returned));
        if (!nss->returned) {
                free(nss);
                return -ENOMEM;
        }
        nss->event = sd_event_ref(event);
        nss->priority = priority;
        nss->limit_us = limit_us;
        LIST_INIT(&nss->lookups);
        /* On Linux a mutex and a condition of the default kind always can be made. */
        (void)pthread_mutex_init(&nss->returned->lock, NULL);
        (void)pthread_cond_init(&nss->returned->handed, NULL);
        nss->returned->holders = 1;
        STAILQ_INIT(&nss->returned->lookups);
        nss->returned->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = nss->returned->fd < 0 ? -errno
                                  : sd_event_add_io(event, &nss->source, nss->returned->fd, EPOLLIN, on_returned, nss);
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

/* Not the loop's own time, which stands still while a call takes long: the limit is the name service's alone. */
static uint64_t now_us(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int nss_lookup(struct nss *nss, const char *user, char *const *groups, size_t n_groups, nss_done done, void *context,
               struct nss_lookup **ret) {
        struct nss_lookup *lookup;
        int r;

        if (user[0] == '\0' || strlen(user) > NSS_USER_MAX)
                return -EINVAL;
        lookup = calloc(1, sizeof(*lookup));
        if (!lookup)
                return -ENOMEM;
        lookup->nss = nss;
        lookup->done = done;
        lookup->context = context;
        lookup->returned = nss->returned;
        (void)snprintf(lookup->asked, sizeof(lookup->asked), "%s", user);
        (void)snprintf(lookup->answer.user, sizeof(lookup->answer.user), "%s", user);
        r = copy_groups(lookup, groups, n_groups);
        if (r < 0)
                goto fail;

        if (nss->n_threads >= NSS_LOOKUPS_MAX)
                answer_failure(&lookup->answer,
                               "The name service has not answered %d earlier questions; push again later",
                               NSS_LOOKUPS_MAX);
        else {
                /* The limit comes first: once the thread runs there is no way back. */
                r = sd_event_add_time(nss->event, &lookup->source, CLOCK_MONOTONIC, now_us() + nss->limit_us,
                                      TIMER_ACCURACY_US, on_time, lookup);
                if (r >= 0)
                        r = sd_event_source_set_priority(lookup->source, nss->priority);
                if (r < 0)
                        goto fail;
                r = hand_over(lookup) ? 0 : start_thread(lookup);
                if (r < 0)
                        answer_failure(&lookup->answer,
                                       "No thread can be started to ask the name service; push again later");
                else
                        lookup->threaded = true;
        }
        if (!lookup->threaded) {
                lookup->source = sd_event_source_disable_unref(lookup->source);
                r = sd_event_add_defer(nss->event, &lookup->source, on_refused, lookup);
                if (r >= 0)
                        r = sd_event_source_set_priority(lookup->source, nss->priority);
                if (r < 0)
                        goto fail;
        } else
                nss->n_threads++;
        LIST_INSERT_HEAD(&nss->lookups, lookup, entry);
        *ret = lookup;
        return 0;

fail:
        (void)sd_event_source_disable_unref(lookup->source);
        lookup_free(lookup);
        return r;
}

void nss_cancel(struct nss_lookup *lookup) {
        nss_done done;

        (void)detach(lookup, &done);
        /* Without a thread there is nobody who would bring it back. */
        if (!lookup->threaded)
                lookup_end(lookup);
}

void nss_free(struct nss *nss) {
        struct nss_lookup *lookup, *next;
        struct returned *returned;

        if (!nss)
                return;
        for (lookup = LIST_FIRST(&nss->lookups); lookup; lookup = next) {
                next = LIST_NEXT(lookup, entry);
                nss_cancel(lookup);
        }

        (void)sd_event_source_disable_unref(nss->source);
        returned = nss->returned;
        (void)pthread_mutex_lock(&returned->lock);
        returned->closed = true;
        (void)pthread_cond_signal(&returned->handed);
        while ((lookup = STAILQ_FIRST(&returned->lookups))) {
                STAILQ_REMOVE_HEAD(&returned->lookups, returned_entry);
                lookup_free(lookup);
        }
        returned_leave(returned);

        sd_event_unref(nss->event);
        free(nss);
}
