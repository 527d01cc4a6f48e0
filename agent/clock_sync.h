/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_CLOCK_SYNC_H
#define EXC_CLOCK_SYNC_H

#include <stdbool.h>

/* Whether the wall clock can be trusted: the kernel holds it for synchronized, with less than 5 s of error (adjtimex(2)). */
bool clock_synchronized(void);

#endif
