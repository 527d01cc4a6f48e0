/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the journal is told: who asked for access, for whom, and what became of it. Fingerprints, never key material.
 *
 * None of these waits: what the journal does not take at once is queued (audit_queue.h).
 */
#ifndef EXC_AUDIT_H
#define EXC_AUDIT_H

#include <stdint.h>

#include "agent/request_parse.h"
#include "agent/slots.h"
#include "common/grant.h"
#include "common/store.h"
#include "wire/refusal.h"

/* One event for each key of a push that was stored for `user`, the name that the name service has. */
void audit_received(const struct push *push, const char *user, int64_t life_s);

/* `method` was refused. `user`, `principal` and `request_id` as far as they are known, else "". */
void audit_refused(const char *method, const struct refused *why, const char *user, const char *principal,
                   const char *request_id);

/* A key left the store: EVENT_EXPIRED or EVENT_REVOKED. `slots`: which connections had one; NULL: it is not known. */
void audit_removed(const char *message_id, const struct grant *grant, const struct store_place *place,
                   const struct slots *slots);

/* A file that is no grant was removed from the store. */
void audit_damaged(const struct store_place *place);

/* Something of ours that does not work (a syslog level of LOG_ERR or LOG_WARNING), or worth knowing (LOG_INFO, LOG_DEBUG). */
void audit_note(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
