/* SPDX-License-Identifier: Apache-2.0 */
#include "host/instances.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { WATCHERS_MAX = 64 };

struct instances {
        pthread_mutex_t lock;
        struct instance **at; /* sorted by id */
        size_t n;
        uint64_t change; /* the number of the latest */
        int watchers[WATCHERS_MAX];
        size_t n_watchers;
};

struct instances *instances_new(void) {
        struct instances *instances = calloc(1, sizeof(*instances));

        if (instances)
                (void)pthread_mutex_init(&instances->lock, NULL);
        return instances;
}

/* Under the lock, as all below that say nothing else. */
static void unref(struct instance *instance) {
        if (--instance->refs > 0)
                return;
        turns_unref(instance->turns);
        free(instance);
}

void instances_free(struct instances *instances) {
        if (!instances)
                return;
        for (size_t i = 0; i < instances->n; i++)
                unref(instances->at[i]);
        for (size_t i = 0; i < instances->n_watchers; i++)
                (void)close(instances->watchers[i]);
        free(instances->at);
        (void)pthread_mutex_destroy(&instances->lock);
        free(instances);
}

static void wake_watchers(const struct instances *instances) {
        for (size_t i = 0; i < instances->n_watchers; i++)
                (void)eventfd_write(instances->watchers[i], 1);
}

static void mark_changed(struct instances *instances, struct instance *instance) {
        instance->change = ++instances->change;
        wake_watchers(instances);
}

static int compare_id(const void *key, const void *element) {
        return strcmp(key, (*(struct instance *const *)element)->id);
}

static int compare_instances(const void *a, const void *b) {
        return strcmp((*(struct instance *const *)a)->id, (*(struct instance *const *)b)->id);
}

static struct instance *find(const struct instances *instances, const char *id) {
        struct instance **at = instances->n > 0
                                       ? bsearch(id, instances->at, instances->n, sizeof(instances->at[0]), compare_id)
                                       : NULL;

        return at ? *at : NULL;
}

/* --- replacing the set -------------------------------------------------------------------------------------------- */

static bool same_address(const struct address *a, const struct address *b) {
        return a->kind == b->kind && a->cid == b->cid && a->port == b->port && strcmp(a->path, b->path) == 0;
}

/* The turns of the channel, for an instance with another name or new. */
static struct turns *turns_of(const struct instances *instances, const struct address *address) {
        for (size_t i = 0; i < instances->n; i++)
                if (same_address(&instances->at[i]->address, address))
                        return turns_ref(instances->at[i]->turns);
        return turns_new();
}

static struct instance *make(const struct instances *instances, const struct instance_setting *setting) {
        struct instance *instance = calloc(1, sizeof(*instance));

        if (!instance)
                return NULL;
        instance->refs = 1;
        memcpy(instance->id, setting->id, sizeof(instance->id));
        instance->address = setting->address;
        instance->turns = turns_of(instances, &setting->address);
        if (instance->turns)
                return instance;
        free(instance);
        return NULL;
}

/* A reference to the instance that is there already, or a new one. */
static struct instance *take_or_make(const struct instances *instances, const struct instance_setting *setting) {
        struct instance *old = find(instances, setting->id);

        if (!old || !same_address(&old->address, &setting->address))
                return make(instances, setting);
        old->refs++;
        return old;
}

static int replace(struct instances *instances, const struct instance_setting *settings, size_t n) {
        struct instance **at = calloc(n > 0 ? n : 1, sizeof(at[0]));
        size_t i;

        if (!at)
                return -ENOMEM;
        for (i = 0; i < n; i++) {
                at[i] = take_or_make(instances, &settings[i]);
                if (!at[i])
                        break;
        }
        if (i < n) {
                while (i > 0)
                        unref(at[--i]);
                free(at);
                return -ENOMEM;
        }
        for (i = 0; i < instances->n; i++)
                instances->at[i]->removed = true;
        for (i = 0; i < n; i++) {
                at[i]->removed = false;
                if (at[i]->change == 0)
                        at[i]->change = ++instances->change;
        }
        for (i = 0; i < instances->n; i++)
                unref(instances->at[i]);
        free(instances->at);
        qsort(at, n, sizeof(at[0]), compare_instances);
        instances->at = at;
        instances->n = n;
        wake_watchers(instances);
        return 0;
}

int instances_replace(struct instances *instances, const struct instance_setting *settings, size_t n) {
        int r;

        (void)pthread_mutex_lock(&instances->lock);
        r = replace(instances, settings, n);
        (void)pthread_mutex_unlock(&instances->lock);
        return r;
}

/* --- one instance ------------------------------------------------------------------------------------------------- */

struct instance *instances_find(struct instances *instances, const char *id) {
        struct instance *instance;

        (void)pthread_mutex_lock(&instances->lock);
        instance = find(instances, id);
        if (instance)
                instance->refs++;
        (void)pthread_mutex_unlock(&instances->lock);
        return instance;
}

void instance_unref(struct instances *instances, struct instance *instance) {
        (void)pthread_mutex_lock(&instances->lock);
        unref(instance);
        (void)pthread_mutex_unlock(&instances->lock);
}

bool instance_is_current(struct instances *instances, const struct instance *instance) {
        bool current;

        (void)pthread_mutex_lock(&instances->lock);
        current = !instance->removed;
        (void)pthread_mutex_unlock(&instances->lock);
        return current;
}

enum instance_state instance_state_of(struct instances *instances, const struct instance *instance) {
        enum instance_state state;

        (void)pthread_mutex_lock(&instances->lock);
        state = instance->state;
        (void)pthread_mutex_unlock(&instances->lock);
        return state;
}

void instance_record(struct instances *instances, struct instance *instance, bool reached, const char *boot_id) {
        enum instance_state state = reached ? INSTANCE_REACHABLE : INSTANCE_UNREACHABLE;

        (void)pthread_mutex_lock(&instances->lock);
        if (boot_id && strcmp(instance->boot_id, boot_id) != 0) {
                if (instance->boot_id[0])
                        instance->first_seen_s = 0;
                memcpy(instance->boot_id, boot_id, strlen(boot_id) + 1);
        }
        if (state != instance->state || (reached && instance->first_seen_s == 0)) {
                if (reached && instance->first_seen_s == 0)
                        instance->first_seen_s = (int64_t)time(NULL);
                instance->state = state;
                mark_changed(instances, instance);
        }
        (void)pthread_mutex_unlock(&instances->lock);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

size_t instances_count(struct instances *instances) {
        size_t n;

        (void)pthread_mutex_lock(&instances->lock);
        n = instances->n;
        (void)pthread_mutex_unlock(&instances->lock);
        return n;
}

int instances_views(struct instances *instances, struct instance_view **ret, size_t *ret_n) {
        struct instance_view *views;

        (void)pthread_mutex_lock(&instances->lock);
        views = calloc(instances->n > 0 ? instances->n : 1, sizeof(views[0]));
        for (size_t i = 0; views && i < instances->n; i++) {
                struct instance *instance = instances->at[i];

                instance->refs++;
                views[i] = (struct instance_view){.instance = instance,
                                                  .state = instance->state,
                                                  .first_seen_s = instance->first_seen_s,
                                                  .change = instance->change};
        }
        *ret = views;
        *ret_n = instances->n;
        (void)pthread_mutex_unlock(&instances->lock);
        return views ? 0 : -ENOMEM;
}

void instances_views_free(struct instances *instances, struct instance_view *views, size_t n) {
        (void)pthread_mutex_lock(&instances->lock);
        for (size_t i = 0; views && i < n; i++)
                unref(views[i].instance);
        (void)pthread_mutex_unlock(&instances->lock);
        free(views);
}

int instances_watch(struct instances *instances) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0)
                return -errno;
        (void)pthread_mutex_lock(&instances->lock);
        if (instances->n_watchers < WATCHERS_MAX)
                instances->watchers[instances->n_watchers++] = fd;
        else {
                (void)close(fd);
                fd = -EBUSY;
        }
        (void)pthread_mutex_unlock(&instances->lock);
        return fd;
}

void instances_unwatch(struct instances *instances, int fd) {
        (void)pthread_mutex_lock(&instances->lock);
        for (size_t i = 0; i < instances->n_watchers; i++)
                if (instances->watchers[i] == fd) {
                        instances->watchers[i] = instances->watchers[--instances->n_watchers];
                        break;
                }
        (void)pthread_mutex_unlock(&instances->lock);
        (void)close(fd);
}
