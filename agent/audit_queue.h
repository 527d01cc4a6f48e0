/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of events between the agent and the journal.
 *
 * 1. The agent never blocks on the journal. An event that the journal does not accept at once is queued, and later ones
 *    behind it, until the journal's socket has room.
 * 2. The queue is bounded. Events that do not fit are dropped and counted. The next event after the gap is EVENT_LOST,
 *    with the number of lost events and the time of the first.
 * 3. When the agent ends, the number of events that are queued, or lost and not reported, is written to state/lost, and
 *    the next agent reports it. An agent that crashes, or is killed with SIGKILL, loses its queue without a count.
 * 4. Without a journal, or when its socket is missing for AUDIT_QUEUE_ABSENT_S, each event is a line on standard error.
 *
 * The process has one queue: events come from all of its modules.
 */
#ifndef EXC_AUDIT_QUEUE_H
#define EXC_AUDIT_QUEUE_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/journal.h"

#define AUDIT_IDENTIFIER "exc-instance-connect-agent"

enum {
        AUDIT_QUEUE_MAX = 256,              /* events */
        AUDIT_QUEUE_BYTES_MAX = 512 * 1024, /* of all events */
        AUDIT_QUEUE_ABSENT_S = 5,           /* seconds */
        AUDIT_QUEUE_LAST_MS = 1000,         /* how long audit_queue_stop() waits */
};

/*
 * Queued events are sent from `event` from now on. `emptied(context)` is called after the last of them. Negative errno.
 */
int audit_queue_start(sd_event *event, void (*emptied)(void *context), void *context);

/*
 * Reports the events that state/lost counts. `state_fd`, the store's state directory, stays the caller's and must be
 * open until audit_queue_stop(). -EBADMSG: the file was damaged, and is removed.
 */
int audit_queue_use_state(int state_fd);

/* Sends or queues an event. `message` is its text, for standard error. Both are copied. */
void audit_queue_add(const struct journal_entry *entry, const char *message);

/* Whether no event is queued. */
bool audit_queue_empty(void);

/* Sends what is queued, for at most AUDIT_QUEUE_LAST_MS, and writes the number of the rest to state/lost. */
void audit_queue_stop(void);

#endif
