/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the helper: one datagram each to the journal's own socket (systemd.io/JOURNAL_NATIVE_PROTOCOL), never waited for.
 * Where no journal listens they go to standard error, which is sshd's.
 */
#ifndef EXC_EVENT_H
#define EXC_EVENT_H

#include "common/claim.h"
#include "common/grant.h"
#include "common/store.h"

/* EVENT_CLAIMED or EVENT_NO_PLACE. */
void event_grant(const char *message_id, const struct grant *grant, const struct store_place *place,
                 const struct connection_id *who);

/* Something of ours does not work, and so this login goes on without us. `who`: NULL where that is not known. */
void event_failure(const char *user, const struct connection_id *who, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
