/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/expiry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "agent/audit.h"
#include "agent/audit_queue.h"
#include "agent/slots.h"
#include "common/debug.h"
#include "common/events.h"

/* A sweep reads every file, and a dead key opens nothing meanwhile: many that end one after the other wait for one sweep. */
#define SWEEP_INTERVAL_NS NS_PER_S

#define IDLE_US (EXPIRY_IDLE_S * UINT64_C(1000000))
#define CONNECT_US (EXPIRY_CONNECT_S * UINT64_C(1000000))

/* --- counts --------------------------------------------------------------------------------------------------------------- */

/* The index of a user, or where to insert it. */
static size_t index_of(const struct expiry_counts *counts, const char *name, bool *ret_found) {
        size_t from = 0, to = counts->n;

        *ret_found = false;
        while (from < to && !*ret_found) {
                size_t middle = from + (to - from) / 2;
                int order = strcmp(name, counts->user[middle].name);

                if (order == 0)
                        *ret_found = true;
                if (order > 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return to;
}

static int insert_user(struct expiry_counts *counts, size_t at, const char *name) {
        void *more = reallocarray(counts->user, counts->n + 1, sizeof(*counts->user));
        char *copy;

        if (!more)
                return -ENOMEM;
        counts->user = more;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        memmove(counts->user + at + 1, counts->user + at, (counts->n - at) * sizeof(*counts->user));
        counts->user[at].name = copy;
        counts->user[at].keys = 0;
        counts->n++;
        return 0;
}

void expiry_counts_add(struct expiry_counts *counts, const char *name, size_t n) {
        bool found;
        size_t at = index_of(counts, name, &found);

        if (found || insert_user(counts, at, name) >= 0)
                counts->user[at].keys += n;
        else
                counts->complete = false;
}

size_t expiry_counts_of(const struct expiry_counts *counts, const char *name) {
        bool found;
        size_t at = index_of(counts, name, &found);

        return found ? counts->user[at].keys : 0;
}

void expiry_counts_clear(struct expiry_counts *counts) {
        for (size_t i = 0; i < counts->n; i++)
                free(counts->user[i].name);
        free(counts->user);
        *counts = (struct expiry_counts){.complete = false};
}

bool expiry_has_room(const struct expiry *expiry, const char *user_name, size_t n) {
        return expiry->counts.complete &&
               expiry_counts_of(&expiry->counts, user_name) + n <= EXPIRY_KEYS_PER_USER_MAX &&
               expiry->live + n <= EXPIRY_KEYS_MAX;
}

void expiry_count(struct expiry *expiry, const char *user_name, size_t n) {
        expiry->live += n;
        expiry_counts_add(&expiry->counts, user_name, n);
}

/* --- sweep ---------------------------------------------------------------------------------------------------------------- */

struct sweep {
        const struct store *store;
        struct instant now;
        size_t live, launch;
        struct expiry_counts counts;
        int64_t next_end_ns; /* boot clock; INT64_MAX: none */
        bool removed;
        struct slots_memory slots;
};

static int sweep_one(void *context, const struct store_place *place) {
        struct sweep *sweep = context;
        const struct slots *slots;
        struct grant grant;
        int64_t left_ns;
        int r;

        r = store_read(sweep->store, place, &grant);
        if (r == -EBADMSG) {
                if (store_remove_key(sweep->store, place) == 0)
                        audit_damaged(place);
                sweep->removed = true;
                return 0;
        }
        if (r < 0) {
                if (r != -ENOENT)
                        expiry_counts_add(&sweep->counts, place->user, 1);
                return 0;
        }
        left_ns = lifetime_left_ns(&grant.life, &sweep->now);
        if (left_ns == 0) {
                slots = slots_end(&sweep->slots, sweep->store, place, &grant);
                (void)store_remove_claim(sweep->store, place);
                (void)store_remove_key(sweep->store, place);
                debug_line("expired: a key of grant %s", place->id);
                audit_removed(audit_end_of(&grant, &sweep->now), &grant, place, slots);
                sweep->removed = true;
                return 0;
        }
        if (grant.origin == GRANT_LAUNCH)
                sweep->launch++;
        else {
                sweep->live++;
                expiry_counts_add(&sweep->counts, place->user, 1);
        }
        /* By the clock that ends it first. */
        if (sweep->now.boot_ns + left_ns < sweep->next_end_ns)
                sweep->next_end_ns = sweep->now.boot_ns + left_ns;
        return 0;
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *context) {
        struct expiry *expiry = context;

        (void)source;
        (void)usec;
        (void)expiry_sweep(expiry);
        expiry_exit_if_done(expiry);
        return 0;
}

static int arm(struct expiry *expiry, int64_t boot_ns) {
        uint64_t usec = (uint64_t)boot_ns / 1000 + 1;
        int r;

        if (!expiry->sweep)
                return sd_event_add_time(expiry->event, &expiry->sweep, CLOCK_BOOTTIME, usec, 0, on_sweep, expiry);
        r = sd_event_source_set_time(expiry->sweep, usec);
        return r < 0 ? r : sd_event_source_set_enabled(expiry->sweep, SD_EVENT_ONESHOT);
}

int expiry_sweep_by(struct expiry *expiry, int64_t boot_end_ns) {
        int64_t at_ns = boot_end_ns;
        uint64_t armed_usec;
        int armed;

        if (at_ns < expiry->swept_boot_ns + SWEEP_INTERVAL_NS)
                at_ns = expiry->swept_boot_ns + SWEEP_INTERVAL_NS;
        if (expiry->sweep && sd_event_source_get_enabled(expiry->sweep, &armed) >= 0 && armed != SD_EVENT_OFF &&
            sd_event_source_get_time(expiry->sweep, &armed_usec) >= 0 && armed_usec <= (uint64_t)at_ns / 1000 + 1)
                return 0;
        return arm(expiry, at_ns);
}

int expiry_sweep(struct expiry *expiry) {
        struct sweep sweep = {
                .store = expiry->store,
                .now = instant_now(),
                .next_end_ns = INT64_MAX,
                .counts = EXPIRY_COUNTS_INIT,
        };
        int r;

        r = store_walk(expiry->store, NULL, NULL, sweep_one, &sweep);
        sweep.counts.complete = sweep.counts.complete && r >= 0;
        if (r >= 0 && sweep.removed)
                r = store_tidy(expiry->store);
        expiry_counts_clear(&expiry->counts);
        expiry->counts = sweep.counts; /* transferred */
        expiry->live = sweep.live;
        expiry->launch = sweep.launch;
        expiry->swept_boot_ns = sweep.now.boot_ns;
        debug_line("swept; live keys: %zu; launch keys: %zu", sweep.live, sweep.launch);
        if (r < 0)
                audit_note(LOG_ERR, "store: could not be swept: %s", strerror(-r));
        if (sweep.next_end_ns == INT64_MAX)
                return r;
        (void)sd_event_source_set_enabled(expiry->sweep, SD_EVENT_OFF);
        return expiry_sweep_by(expiry, sweep.next_end_ns);
}

int expiry_sweep_for_peer(struct expiry *expiry) {
        return instant_now().boot_ns - expiry->swept_boot_ns < SWEEP_INTERVAL_NS ? 0 : expiry_sweep(expiry);
}

bool expiry_remove_grown(struct expiry *expiry) {
        int64_t now_ns = instant_now().boot_ns;
        int n;

        if (expiry->grown_boot_ns != 0 && now_ns - expiry->grown_boot_ns < SWEEP_INTERVAL_NS)
                return false;
        expiry->grown_boot_ns = now_ns;
        n = store_remove_grown(expiry->store);
        if (n < 0)
                audit_note(LOG_ERR, "store: could not be searched for claim files that have grown: %s", strerror(-n));
        if (n <= 0)
                return false;
        audit_note(LOG_WARNING,
                   "claim files that had grown: %d; removed, with their keys: a program other than exc-authorized-keys "
                   "writes to them as its user",
                   n);
        (void)store_tidy(expiry->store);
        (void)expiry_sweep(expiry);
        return true;
}

/* --- the clock ------------------------------------------------------------------------------------------------------------ */

/* Becomes readable when the clock is set, and at no other time (timerfd_create(2)). */
static int watch_clock(int fd) {
        static const struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX}};

        return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ? -errno : 0;
}

static int on_clock_set(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct expiry *expiry = context;
        uint64_t n;

        (void)events;
        /* ECANCELED: it was set. */
        if (read(fd, &n, sizeof(n)) < 0 && errno == EAGAIN)
                return 0;
        debug_line("clock: set");
        if (watch_clock(fd) < 0)
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (expiry->live + expiry->launch > 0 && expiry_sweep_by(expiry, 0) < 0)
                (void)expiry_sweep(expiry);
        return 0;
}

static int add_clock(struct expiry *expiry) {
        int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK), r;

        if (fd < 0)
                return -errno;
        r = watch_clock(fd);
        if (r >= 0)
                r = sd_event_add_io(expiry->event, &expiry->clock, fd, EPOLLIN, on_clock_set, expiry);
        if (r >= 0)
                r = sd_event_source_set_io_fd_own(expiry->clock, true);
        if (r < 0)
                (void)close(fd);
        return r;
}

/* --- exit ----------------------------------------------------------------------------------------------------------------- */

void expiry_exit_if_done(struct expiry *expiry) {
        if (!expiry->idle_now || expiry->live > 0 || !audit_queue_empty())
                return;
        debug_line("exit: nothing is left to do");
        (void)sd_event_exit(expiry->event, 0);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *context) {
        struct expiry *expiry = context;

        (void)source;
        (void)usec;
        expiry->idle_now = true;
        /* While keys are live, the sweep of the last one ends the loop. */
        expiry_exit_if_done(expiry);
        return 0;
}

static void stay_for(struct expiry *expiry, uint64_t usec) {
        expiry->idle_now = false;
        (void)sd_event_source_set_time_relative(expiry->idle, usec);
        (void)sd_event_source_set_enabled(expiry->idle, SD_EVENT_ONESHOT);
}

void expiry_postpone_exit(struct expiry *expiry) {
        stay_for(expiry, IDLE_US);
}

void expiry_await_message(struct expiry *expiry) {
        uint64_t now_usec, end_usec;

        if (expiry->idle_now || sd_event_now(expiry->event, CLOCK_MONOTONIC, &now_usec) < 0 ||
            sd_event_source_get_time(expiry->idle, &end_usec) < 0 || end_usec < now_usec + CONNECT_US)
                stay_for(expiry, CONNECT_US);
}

int expiry_start(struct expiry *expiry, sd_event *event, const struct store *store) {
        int r;

        *expiry = (struct expiry){.event = event, .store = store};
        r = add_clock(expiry);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(event, &expiry->idle, CLOCK_MONOTONIC, IDLE_US, 0, on_idle, expiry);
}

void expiry_stop(struct expiry *expiry) {
        expiry->clock = sd_event_source_unref(expiry->clock);
        expiry->idle = sd_event_source_unref(expiry->idle);
        expiry->sweep = sd_event_source_unref(expiry->sweep);
        expiry_counts_clear(&expiry->counts);
}
