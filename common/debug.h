/* SPDX-License-Identifier: Apache-2.0 */
/* What --verbose and EXC_DEBUG=1 print: one line per stage on standard error, never key material. */
#ifndef EXC_DEBUG_H
#define EXC_DEBUG_H

#include <stdbool.h>

/* `program` begins each line. `verbose`: print; without it EXC_DEBUG=1 in the environment does the same. */
void debug_init(const char *program, bool verbose);

/* A line, if lines are printed; `format` has no newline. What is not printable ASCII becomes a question mark. */
__attribute__((format(printf, 1, 2))) void debug_line(const char *format, ...);

#endif
