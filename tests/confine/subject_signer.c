/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_confine.h"
#include "tests/confine/subject_process.h"

bool subject_confine(enum subject_layer layer) {
        const struct process_limits limits = signer_limits("/var/log/exc-signer", SYSCALL_FILTER_ON);

        return subject_limit(&limits, layer);
}
