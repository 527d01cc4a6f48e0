/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that confine themselves by confine/process.h. */
#ifndef EXC_CONFINE_SUBJECT_PROCESS_H
#define EXC_CONFINE_SUBJECT_PROCESS_H

#include <sys/prctl.h>

#include "confine/process.h"
#include "tests/confine/subject.h"

static inline bool subject_limit(const struct process_limits *limits, enum subject_layer layer) {
        switch (layer) {
        case LAYER_LANDLOCK:
                return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && process_limit_files(limits) >= 0;
        case LAYER_SECCOMP:
                return syscall_filter_install(&limits->filter) >= 0;
        default:
                return false;
        }
}

#endif
