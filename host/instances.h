/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMs of this host, by their names: which channel leads to each, and what the latest call to it showed. Safe for
 * several threads. The set is replaced as a whole when the configuration is read again; a VM whose name and channel are
 * the same as before keeps its state, and a channel its turns, whatever the name.
 */
#ifndef EXC_INSTANCES_H
#define EXC_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/turns.h"
#include "libpush/address.h"
#include "libpush/answer.h"
#include "wire/vm_id.h"

enum instance_state {
        INSTANCE_UNKNOWN, /* not called yet, or not a VM of this host any more */
        INSTANCE_REACHABLE,
        INSTANCE_UNREACHABLE,
};

/* One VM. The first three never change. */
struct instance {
        char id[VM_ID_MAX];
        struct address address;
        struct turns *turns;

        /* The rest belongs to instances.c. */
        unsigned refs;
        bool removed;
        enum instance_state state;
        int64_t first_seen_s;
        char boot_id[ANSWER_BOOT_ID_MAX]; /* of the latest Hello, or "" */
        uint64_t change;
};

/* What the configuration says of one VM. */
struct instance_setting {
        char id[VM_ID_MAX];
        struct address address;
};

/* The state at one moment. */
struct instance_view {
        struct instance *instance; /* a reference */
        enum instance_state state;
        int64_t first_seen_s; /* Unix time of the first answer since the guest's boot, as far as this host saw; 0: none
                               */
        uint64_t change;      /* the number of its latest change */
};

struct instances;

struct instances *instances_new(void); /* NULL without memory */
void instances_free(struct instances *instances);

/* Replaces the set. `settings` has no name and no channel twice. -ENOMEM, and the set is as it was. */
int instances_replace(struct instances *instances, const struct instance_setting *settings, size_t n);

/* A reference, for instance_unref(); NULL: there is none of that name. */
struct instance *instances_find(struct instances *instances, const char *id);
void instance_unref(struct instances *instances, struct instance *instance);

/* Whether the set that is in force has it. */
bool instance_is_current(struct instances *instances, const struct instance *instance);
enum instance_state instance_state_of(struct instances *instances, const struct instance *instance);

/* Records what a call showed. `boot_id`: of a Hello, or NULL; another one than before is a new boot. */
void instance_record(struct instances *instances, struct instance *instance, bool reached, const char *boot_id);

size_t instances_count(struct instances *instances);

/* All views, in the order of their names, for instances_views_free(). -ENOMEM. */
int instances_views(struct instances *instances, struct instance_view **ret, size_t *ret_n);
void instances_views_free(struct instances *instances, struct instance_view *views, size_t n);

/* An eventfd(2) that counts changes from now on; instances_unwatch() closes it. Negative errno. */
int instances_watch(struct instances *instances);
void instances_unwatch(struct instances *instances, int fd);

#endif
