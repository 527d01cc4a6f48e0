/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of calls, in milliseconds of CLOCK_MONOTONIC: clock_ms() has the time. */
#ifndef EXC_HOST_CLOCK_H
#define EXC_HOST_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "common/clock.h"

static inline struct timespec clock_timespec(int64_t ms) {
        return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* A condition variable whose pthread_cond_timedwait(3) goes by this clock. A positive errno, or 0. */
static inline int clock_cond_init(pthread_cond_t *ret) {
        pthread_condattr_t attributes;
        int error = pthread_condattr_init(&attributes);

        if (error != 0)
                return error;
        error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (error == 0)
                error = pthread_cond_init(ret, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        return error;
}

#endif
