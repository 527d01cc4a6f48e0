/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/expiry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/audit.h"
#include "agent/audit_queue.h"
#include "common/events.h"

/* However many keys end one after the other: a sweep reads every file, and what is dead opens nothing meanwhile. */
#define SWEEP_APART_NS NS_PER_S

struct count {
        struct agent *agent;
        struct instant now;
        size_t live;
        struct tally tally;
        int64_t next_end_ns; /* boot clock; INT64_MAX: none */
        bool removed;
        struct slots_memory slots;
};

static int sweep_one(void *context, const struct store_place *place) {
        struct count *count = context;
        struct store *store = &count->agent->store;
        const struct slots *slots;
        struct grant grant;
        int r;

        r = store_read(store, place, &grant);
        if (r == -EBADMSG) {
                if (store_remove_key(store, place) == 0)
                        audit_damaged(place);
                count->removed = true;
                return 0;
        }
        if (r < 0) {
                if (r != -ENOENT)
                        tally_add(&count->tally, place->user, 1);
                return 0;
        }
        if (lifetime_left_ns(&grant.life, &count->now) == 0) {
                slots = slots_end(&count->slots, store, place, &grant);
                (void)store_remove_claim(store, place);
                (void)store_remove_key(store, place);
                audit_removed(EVENT_EXPIRED, &grant, place, slots);
                count->removed = true;
                return 0;
        }
        count->live++;
        tally_add(&count->tally, place->user, 1);
        if (grant.life.boot_end_ns < count->next_end_ns)
                count->next_end_ns = grant.life.boot_end_ns;
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *context) {
        struct agent *agent = context;

        (void)source;
        (void)usec;
        (void)expiry_sweep(agent);
        expiry_leave_if_done(agent);
        return 0;
}

static int arm(struct agent *agent, int64_t boot_ns) {
        uint64_t usec = (uint64_t)boot_ns / 1000 + 1;
        int r;

        if (!agent->sweep)
                return sd_event_add_time(agent->event, &agent->sweep, CLOCK_BOOTTIME, usec, 0, on_time, agent);
        r = sd_event_source_set_time(agent->sweep, usec);
        return r < 0 ? r : sd_event_source_set_enabled(agent->sweep, SD_EVENT_ONESHOT);
}

int expiry_sweep_by(struct agent *agent, int64_t boot_end_ns) {
        int64_t at_ns = boot_end_ns;
        uint64_t armed_usec;
        int armed;

        if (at_ns < agent->swept_boot_ns + SWEEP_APART_NS)
                at_ns = agent->swept_boot_ns + SWEEP_APART_NS;
        if (agent->sweep && sd_event_source_get_enabled(agent->sweep, &armed) >= 0 && armed != SD_EVENT_OFF &&
            sd_event_source_get_time(agent->sweep, &armed_usec) >= 0 && armed_usec <= (uint64_t)at_ns / 1000 + 1)
                return 0;
        return arm(agent, at_ns);
}

int expiry_sweep(struct agent *agent) {
        struct count count = {.agent = agent, .now = instant_now(), .next_end_ns = INT64_MAX, .tally = TALLY_INIT};
        int r;

        r = store_walk(&agent->store, NULL, NULL, sweep_one, &count);
        count.tally.whole = count.tally.whole && r >= 0;
        if (r >= 0 && count.removed)
                r = store_tidy(&agent->store);
        tally_clear(&agent->tally);
        agent->tally = count.tally; /* transferred */
        agent->live = count.live;
        agent->swept_boot_ns = count.now.boot_ns;
        if (r < 0)
                audit_note(LOG_ERR, "The store could not be swept: %s", strerror(-r));
        if (count.next_end_ns == INT64_MAX)
                return r;
        (void)sd_event_source_set_enabled(agent->sweep, SD_EVENT_OFF);
        return expiry_sweep_by(agent, count.next_end_ns);
}

int expiry_sweep_again(struct agent *agent) {
        return instant_now().boot_ns - agent->swept_boot_ns < SWEEP_APART_NS ? 0 : expiry_sweep(agent);
}

bool expiry_sweep_grown(struct agent *agent) {
        int64_t now_ns = instant_now().boot_ns;
        int n;

        if (agent->grown_boot_ns != 0 && now_ns - agent->grown_boot_ns < SWEEP_APART_NS)
                return false;
        agent->grown_boot_ns = now_ns;
        n = store_remove_grown(&agent->store);
        if (n < 0)
                audit_note(LOG_ERR, "The store could not be searched for files that have grown: %s", strerror(-n));
        if (n <= 0)
                return false;
        audit_note(LOG_WARNING,
                   "Claim files that had grown: %d; they were removed, and their keys with them. Something else than "
                   "exc-authorized-keys writes to them as its user",
                   n);
        (void)store_tidy(&agent->store);
        (void)expiry_sweep(agent);
        return true;
}

bool expiry_has_room(const struct agent *agent, const char *user, size_t n) {
        return agent->tally.whole && tally_of(&agent->tally, user) + n <= AGENT_KEYS_PER_USER_MAX &&
               agent->live + n <= AGENT_KEYS_MAX;
}

void expiry_count(struct agent *agent, const char *user, size_t n) {
        agent->live += n;
        tally_add(&agent->tally, user, n);
}

void expiry_end(struct agent *agent) {
        agent->sweep = sd_event_source_unref(agent->sweep);
        tally_clear(&agent->tally);
}

/* Where a user stands, or belongs. */
static size_t place_of(const struct tally *tally, const char *name, bool *ret_there) {
        size_t from = 0, to = tally->n;

        *ret_there = false;
        while (from < to && !*ret_there) {
                size_t middle = from + (to - from) / 2;
                int order = strcmp(name, tally->user[middle].name);

                if (order == 0)
                        *ret_there = true;
                if (order > 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return to;
}

static int add_user(struct tally *tally, size_t at, const char *name) {
        void *more = reallocarray(tally->user, tally->n + 1, sizeof(*tally->user));
        char *copy;

        if (!more)
                return -ENOMEM;
        tally->user = more;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        memmove(tally->user + at + 1, tally->user + at, (tally->n - at) * sizeof(*tally->user));
        tally->user[at].name = copy;
        tally->user[at].keys = 0;
        tally->n++;
        return 0;
}

void tally_add(struct tally *tally, const char *name, size_t n) {
        bool there;
        size_t at = place_of(tally, name, &there);

        if (there || add_user(tally, at, name) >= 0)
                tally->user[at].keys += n;
        else
                tally->whole = false;
}

size_t tally_of(const struct tally *tally, const char *name) {
        bool there;
        size_t at = place_of(tally, name, &there);

        return there ? tally->user[at].keys : 0;
}

void tally_clear(struct tally *tally) {
        for (size_t i = 0; i < tally->n; i++)
                free(tally->user[i].name);
        free(tally->user);
        *tally = (struct tally){.whole = false};
}

#define IDLE_US (AGENT_IDLE_S * UINT64_C(1000000))
#define MOMENT_US (AGENT_MOMENT_S * UINT64_C(1000000))

void expiry_leave_if_done(struct agent *agent) {
        if (agent->idle_now && agent->live == 0 && audit_queue_empty())
                (void)sd_event_exit(agent->event, 0);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *context) {
        struct agent *agent = context;

        (void)source;
        (void)usec;
        agent->idle_now = true;
        /* With live keys it is the sweep of the last one that ends it all. */
        expiry_leave_if_done(agent);
        return 0;
}

int expiry_begin(struct agent *agent) {
        return sd_event_add_time_relative(agent->event, &agent->idle, CLOCK_MONOTONIC, IDLE_US, 0, on_idle, agent);
}

static void stay_for(struct agent *agent, uint64_t usec) {
        agent->idle_now = false;
        (void)sd_event_source_set_time_relative(agent->idle, usec);
        (void)sd_event_source_set_enabled(agent->idle, SD_EVENT_ONESHOT);
}

void expiry_stay(struct agent *agent) {
        stay_for(agent, IDLE_US);
}

void expiry_stay_a_moment(struct agent *agent) {
        uint64_t now_usec, end_usec;

        if (agent->idle_now || sd_event_now(agent->event, CLOCK_MONOTONIC, &now_usec) < 0 ||
            sd_event_source_get_time(agent->idle, &end_usec) < 0 || end_usec < now_usec + MOMENT_US)
                stay_for(agent, MOMENT_US);
}
