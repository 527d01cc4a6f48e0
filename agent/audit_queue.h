/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's events on their way to the journal.
 *
 * 1. The agent never blocks on the journal. An event that the journal does not take at once waits here, and later ones
 *    behind it, until the journal's socket has room.
 * 2. The queue is bounded. Events that do not fit are dropped and counted. The next event after the gap is EVENT_LOST, with
 *    the number of lost events and the time of the first.
 * 3. When the agent ends, the number of events that are left, or lost and not reported, is written to state/lost, and the
 *    next agent reports it. An agent that is killed with SIGKILL, or crashes, loses its queue without a count.
 * 4. Where there is no journal, or its socket is gone for AUDIT_QUEUE_ABSENT_S, each event is a line on standard error.
 *
 * There is one queue in the process, since events come from everywhere in it.
 */
#ifndef EXC_AUDIT_QUEUE_H
#define EXC_AUDIT_QUEUE_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/journal.h"

#define AUDIT_IDENTIFIER "exc-instance-connect-agent"

enum {
        AUDIT_QUEUE_MAX = 256,              /* events */
        AUDIT_QUEUE_BYTES_MAX = 512 * 1024, /* of all of them */
        AUDIT_QUEUE_ABSENT_S = 5,
        AUDIT_QUEUE_LAST_MS = 1000, /* that audit_queue_stop() waits */
};

/*
 * From now on events that have to wait are sent from `event`. `emptied(context)` is called when the last of them has left.
 * Negative errno.
 */
int audit_queue_start(sd_event *event, void (*emptied)(void *context), void *context);

/*
 * Reports what state/lost says, and uses `state_fd`, the caller's, for that file until audit_queue_stop().
 * -EBADMSG: the file was damaged, and is removed.
 */
int audit_queue_use_state(int state_fd);

/* Sends an event. `message` is its text, for standard error. */
void audit_queue_add(const struct journal_entry *entry, const char *message);

/* Whether no event waits. */
bool audit_queue_empty(void);

/* Sends what waits, for AUDIT_QUEUE_LAST_MS at most, and writes what is left to state/lost. */
void audit_queue_stop(void);

#endif
