/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for the journal, on standard error. Nothing in them is a guest's or a caller's text. */
#ifndef EXC_HOST_LOG_H
#define EXC_HOST_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "host/outcome.h"

void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How a delivery ended. `instance` is a parameter that was checked for its length alone. */
void log_delivery(const char *instance, const char *call_id, bool pushes, const struct outcome *outcome,
                  int64_t took_ms);

#endif
