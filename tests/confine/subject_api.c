/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/api_confine.h"
#include "tests/confine/subject_process.h"

bool subject_confine(enum subject_layer layer) {
        static const struct api_config config = {
                .database = "/var/lib/exc-compute-api/compute.db",
                .audit = "/var/log/exc-compute-api/audit",
                .docs = "/usr/share/exc-compute-api/docs",
        };
        struct api_confinement confinement;

        api_confinement(&config, SYSCALL_FILTER_ON, &confinement);
        return subject_limit(&confinement.limits, layer);
}
