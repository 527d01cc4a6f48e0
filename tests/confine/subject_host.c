/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host_confine.h"
#include "tests/confine/subject_process.h"

bool subject_confine(enum subject_layer layer) {
        const struct process_limits limits = host_confinement("/etc/exc-host", "/etc/exc-host/vm.d", SYSCALL_FILTER_ON);

        return subject_limit(&limits, layer);
}
