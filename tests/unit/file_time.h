/* SPDX-License-Identifier: Apache-2.0 */
/* Time stamps of files: the kernel takes them from a clock that stands still between two ticks. */
#ifndef EXC_FILE_TIME_H
#define EXC_FILE_TIME_H

#include <time.h>

/* Waits for the next tick, so that what is changed from now on gets another time stamp than what was changed before. */
static inline void file_time_tick(void) {
        struct timespec before, now;

        (void)clock_gettime(CLOCK_REALTIME_COARSE, &before);
        do
                (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
        while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

#endif
