/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stay.h"

#include <time.h>

#include "agent/audit_queue.h"

#define IDLE_US (AGENT_IDLE_S * UINT64_C(1000000))
#define MOMENT_US (AGENT_MOMENT_S * UINT64_C(1000000))

void leave_if_done(struct agent *agent) {
        if (agent->idle_now && agent->live == 0 && audit_queue_empty())
                (void)sd_event_exit(agent->event, 0);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *context) {
        struct agent *agent = context;

        (void)source;
        (void)usec;
        agent->idle_now = true;
        /* With live keys it is the sweep of the last one that ends it all. */
        leave_if_done(agent);
        return 0;
}

int stay_begin(struct agent *agent) {
        return sd_event_add_time_relative(agent->event, &agent->idle, CLOCK_MONOTONIC, IDLE_US, 0, on_idle, agent);
}

static void stay_for(struct agent *agent, uint64_t usec) {
        agent->idle_now = false;
        (void)sd_event_source_set_time_relative(agent->idle, usec);
        (void)sd_event_source_set_enabled(agent->idle, SD_EVENT_ONESHOT);
}

void stay(struct agent *agent) {
        stay_for(agent, IDLE_US);
}

void stay_a_moment(struct agent *agent) {
        uint64_t now_usec, end_usec;

        if (agent->idle_now || sd_event_now(agent->event, CLOCK_MONOTONIC, &now_usec) < 0 ||
            sd_event_source_get_time(agent->idle, &end_usec) < 0 || end_usec < now_usec + MOMENT_US)
                stay_for(agent, MOMENT_US);
}
