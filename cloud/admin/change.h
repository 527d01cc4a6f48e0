/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exc-compute-admin changes, in the journal of this machine: who, and what.
 *
 * The audit log is not used for that. One process writes to a chain, which is the API while it runs; and this program has
 * become the API's user, who could forge a chain of its own. What journald itself adds to an entry (_UID, _AUDIT_LOGINUID)
 * that user cannot choose.
 */
#ifndef EXC_COMPUTE_ADMIN_CHANGE_H
#define EXC_COMPUTE_ADMIN_CHANGE_H

/* Finds out who runs this, before it becomes another user. */
void change_begin(void);

/*
 * Records a change that was made: the action as policies and the audit log name it, and on what: the formatted resource. It
 * complains where there is no journal, and the change stays made.
 */
void change_log(const char *action, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
