/* SPDX-License-Identifier: Apache-2.0 */
/* Times as the API writes them: RFC 3339, UTC, whole seconds. */
#ifndef EXC_TIME_TEXT_H
#define EXC_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* "2026-01-31T12:00:00Z" and nothing else, from 1970 on. `ret`, Unix seconds, is written only on success. */
bool time_text_parse(const char *text, int64_t *ret);

#endif
