/* SPDX-License-Identifier: Apache-2.0 */
/* A time on a command line. systemd reads more forms (systemd.time(7)), but lends its reader to nobody. */
#ifndef EXC_LOG_SINCE_H
#define EXC_LOG_SINCE_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_SINCE_FORMS                                                                                                \
        "\"2026-01-31 12:30[:00]\", 2026-01-31, today, yesterday, 90min or \"1h 30min\" ago, or @SECONDS"

/*
 * YYYY-MM-DD[( |T)HH:MM[:SS]] and HH:MM[:SS] of today, local time, or UTC with "UTC" or "Z" behind it; today, yesterday,
 * now; @SECONDS since 1970; -AGE or "AGE ago", where AGE is numbers with s, min, h, d or w, or those words in full.
 * Microseconds since 1970. False for anything else, and for what lies after `now_us`.
 */
bool log_since(const char *text, int64_t now_us, int64_t *ret_us);

#endif
