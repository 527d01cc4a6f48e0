/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "agent/audit.h"
#include "agent/stay.h"
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
        (void)sweep(agent);
        leave_if_done(agent);
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

int sweep_by(struct agent *agent, int64_t boot_end_ns) {
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

int sweep(struct agent *agent) {
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
        return sweep_by(agent, count.next_end_ns);
}

int sweep_again(struct agent *agent) {
        return instant_now().boot_ns - agent->swept_boot_ns < SWEEP_APART_NS ? 0 : sweep(agent);
}

bool sweep_grown(struct agent *agent) {
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
        (void)sweep(agent);
        return true;
}

bool sweep_room(const struct agent *agent, const char *user, size_t n) {
        return agent->tally.whole && tally_of(&agent->tally, user) + n <= AGENT_KEYS_PER_USER_MAX &&
               agent->live + n <= AGENT_KEYS_MAX;
}

void sweep_count(struct agent *agent, const char *user, size_t n) {
        agent->live += n;
        tally_add(&agent->tally, user, n);
}

void sweep_end(struct agent *agent) {
        agent->sweep = sd_event_source_unref(agent->sweep);
        tally_clear(&agent->tally);
}
