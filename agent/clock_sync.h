/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_CLOCK_SYNC_H
#define EXC_CLOCK_SYNC_H

#include <stdbool.h>

/* Whether the wall clock is synchronized: its maximum error is below 5 s (adjtimex(2)); at boot the kernel says 16 s. */
bool clock_synchronized(void);

#endif
