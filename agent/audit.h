/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for the journal: who asked for access, for which user, and what became of it. They have fingerprints, never
 * keys. None of these functions blocks (agent/audit_queue.h).
 */
#ifndef EXC_AUDIT_H
#define EXC_AUDIT_H

#include <stdint.h>

#include "agent/request_parse.h"
#include "agent/slots.h"
#include "common/grant.h"
#include "common/store.h"
#include "wire/refusal.h"

/* EVENT_RECEIVED for each key of a push that was stored for `user`, the name service's name, for `life_s` seconds. */
void audit_received(const struct push *push, const char *user, int64_t life_s);

/* EVENT_RECEIVED for a launch key that was not among the ones before; `grant` has its user and principal. */
void audit_launch_key(const char *fingerprint_name, const struct grant *grant, int64_t life_s);

/* EVENT_REFUSED. `user`, `principal` and `request_id` are "" where they are not known. */
void audit_refused(const char *method, const struct refused *why, const char *user, const char *principal,
                   const char *request_id);

enum audit_end {
        AUDIT_EXPIRED,
        AUDIT_CLOCK_SET, /* expired before its time (lifetime_clock_set()) */
        AUDIT_REVOKED,
        AUDIT_WITHDRAWN, /* a launch key that the metadata service no longer has */
};

/* How a key ends that is removed at `now` because its time is over. */
enum audit_end audit_end_of(const struct grant *grant, const struct instant *now);

/*
 * EVENT_EXPIRED or EVENT_REVOKED: a key was removed. `slots`: those of its push that were used; NULL: that is not
 * known.
 */
void audit_removed(enum audit_end end, const struct grant *grant, const struct store_place *place,
                   const struct slots *slots);

/* EVENT_DAMAGED: a file that is not a grant was removed. */
void audit_damaged(const struct store_place *place);

/* EVENT_FAILURE with LOG_ERR or LOG_WARNING; with a lower syslog level a message without an id. */
void audit_note(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
