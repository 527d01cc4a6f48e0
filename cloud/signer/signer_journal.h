/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer reports to the administrator. */
#ifndef EXC_SIGNER_JOURNAL_H
#define EXC_SIGNER_JOURNAL_H

/* More was asked of the signer than its configuration expects. The catalog (systemd/exc-signer.catalog) explains it. */
#define SIGNER_EVENT_ALARM "a4a85928cd844283be403059809faa5a"

/* A line on standard error, with the priority of syslog(3), which systemd reads. Never a secret. From any thread. */
void signer_note(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An entry of priority alert with SIGNER_EVENT_ALARM in the journal; on standard error where there is no journal. */
void signer_journal_alarm(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
