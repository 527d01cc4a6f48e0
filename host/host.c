/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"

#include <errno.h>
#include <string.h>

enum { SILENT_WAITING = 2 };

const struct serve_method host_methods[] = {
        {HOST_INTERFACE ".Hello", method_hello},
        {HOST_INTERFACE ".Deliver", method_deliver},
        {HOST_INTERFACE ".Report", method_report},
        {HOST_INTERFACE ".Status", method_status},
        {.name = NULL},
};

int host_start(struct host *ret) {
        int r = -ENOMEM;

        *ret = (struct host){.limits = HOST_LIMITS_DEFAULT};
        ret->instances = instances_new();
        ret->deliveries = deliveries_new(DELIVERIES_MAX, DELIVERIES_BYTES_MAX);
        if (ret->instances && ret->deliveries)
                r = sessions_start(ret->instances, &ret->sessions);
        if (r < 0) {
                deliveries_free(ret->deliveries);
                instances_free(ret->instances);
                return r;
        }
        (void)pthread_mutex_init(&ret->lock, NULL);
        return 0;
}

void host_stop(struct host *host) {
        sessions_stop(host->sessions);
        deliveries_free(host->deliveries);
        instances_free(host->instances);
        (void)pthread_mutex_destroy(&host->lock);
}

int host_configure(struct host *host, const struct host_config *config) {
        int r = instances_replace(host->instances, config->instances, config->n_instances);

        if (r < 0)
                return r;
        (void)pthread_mutex_lock(&host->lock);
        memcpy(host->name, config->name, sizeof(host->name));
        host->limits = config->limits;
        (void)pthread_mutex_unlock(&host->lock);
        return 0;
}

static struct host_limits limits_of(struct host *host) {
        struct host_limits limits;

        (void)pthread_mutex_lock(&host->lock);
        limits = host->limits;
        (void)pthread_mutex_unlock(&host->lock);
        return limits;
}

/*
 * Calls to a guest that did not answer last time each take their whole time, and a connection of the server: few of
 * them may wait, so that other guests' calls still have one.
 */
static unsigned most_waiting(struct host *host, struct instance *instance, const struct host_limits *limits) {
        bool silent = instance_state_of(host->instances, instance) == INSTANCE_UNREACHABLE;

        return silent && limits->guest_waiting > SILENT_WAITING ? SILENT_WAITING : limits->guest_waiting;
}

bool host_take_turn(struct host *host, struct instance *instance, int64_t deadline_ms, struct outcome *ret) {
        const struct host_limits limits = limits_of(host);
        int r = turns_take(instance->turns, 0, deadline_ms);

        /* Counted only where it waits: however many wait for others, a guest that is free takes calls. */
        if (r == -EBUSY) {
                if (atomic_fetch_add(&host->waiting, 1) < limits.waiting)
                        r = turns_take(instance->turns, most_waiting(host, instance, &limits), deadline_ms);
                (void)atomic_fetch_sub(&host->waiting, 1);
        }
        if (r == -EBUSY)
                *ret = outcome_error(HOST_BUSY, "%s: too many calls wait for this guest or on this host; try again",
                                     instance->id);
        else if (r < 0)
                *ret = outcome_error(HOST_GUEST_UNREACHABLE,
                                     "%s: other calls to this guest took all the time; try again", instance->id);
        else if (!instance_is_current(host->instances, instance)) {
                turns_release(instance->turns);
                *ret = outcome_error(HOST_NO_SUCH_INSTANCE, "%s: removed from this host meanwhile", instance->id);
                r = -ESTALE;
        }
        return r == 0;
}
