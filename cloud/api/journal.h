/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says to the administrator: lines on standard error, with the priority that systemd takes from them. */
#ifndef EXC_API_JOURNAL_H
#define EXC_API_JOURNAL_H

#include <stdint.h>

/* One line, in printable ASCII. `priority`: of syslog(3). Never a secret, never a body. From any thread. */
void journal_note(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* CLOCK_MONOTONIC. */
int64_t monotonic_ns(void);

#endif
