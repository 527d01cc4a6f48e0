/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/clock_sync.h"

#include <sys/timex.h>

enum { ERROR_MAX_US = 5 * 1000 * 1000 };

bool clock_synchronized(void) {
        struct timex state = {.modes = 0}; /* reads only */
        int r = adjtimex(&state);

        return r >= 0 && r != TIME_ERROR && (state.status & STA_UNSYNC) == 0 && state.maxerror < ERROR_MAX_US;
}
