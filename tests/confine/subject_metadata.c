/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/metadata_confine.h"
#include "tests/confine/subject_process.h"

bool subject_confine(enum subject_layer layer) {
        const struct process_limits limits = metadata_limits(SYSCALL_FILTER_ON);

        return subject_limit(&limits, layer);
}
