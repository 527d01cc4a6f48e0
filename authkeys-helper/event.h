/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the helper: one datagram each to the journal's own socket (systemd.io/JOURNAL_NATIVE_PROTOCOL).
 *
 * sshd waits until the helper ends, so the helper waits at most EVENT_WAIT_MS for a busy journal, and sends an event
 * after it has written the key to sshd. Failures, and events that cannot be sent, go to standard error too, for a person
 * who runs the helper by hand: under sshd that is /dev/null, unless sshd was started with -e or -E.
 */
#ifndef EXC_EVENT_H
#define EXC_EVENT_H

#include "common/claim.h"
#include "common/grant.h"
#include "common/journal.h"
#include "common/store.h"

enum { EVENT_WAIT_MS = 100 };

/*
 * sshd itself would wait until its LoginGraceTime (120 s), so a part of ours that hangs must end before. While a package
 * manager syncs a slow disk, executing a program alone may take longer than two seconds.
 */
enum {
        HELPER_DEADLINE_S = 10,
        CHAIN_DEADLINE_S = 12, /* for exc-authorized-keys and its start */
};

/* EVENT_CLAIMED or EVENT_NO_SLOT. */
void event_grant(const char *message_id, const struct grant *grant, const struct store_place *place,
                 const struct connection_id *who);

/*
 * One of the two programs cannot do its part, or does not run the other command, and the login goes on without it.
 * `user` and `who`: NULL where they are not known. exc-instance-connect log takes it from root and from HELPER_USER alone.
 */
void event_failure(const char *user, const struct connection_id *who, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/*
 * The same in two steps: makes the entry, and sends it, by system calls alone, so that a signal's handler may. It is not
 * written to standard error.
 */
void event_failure_make(struct journal_entry *ret, const char *user, const struct connection_id *who,
                        const char *message);
void event_failure_send(const struct journal_entry *entry);

#endif
