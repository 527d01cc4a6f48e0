/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's own layers, one by one. */
#include "agent/confine.c"
#include "agent/trust.h"
#include "common/store.h"
#include "tests/confine/subject.h"

#include <sys/prctl.h>

bool subject_confine(enum subject_layer layer) {
        static struct config config;
        static struct agent agent = {
                .config = &config, .config_dir = "/etc/exc-instance-connect", .runtime_dir = STORE_RUNTIME_DIR};

        switch (layer) {
        case LAYER_LANDLOCK:
                return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && confine_files(&agent) >= 0;
        case LAYER_SECCOMP:
                return confine_calls(&agent.confinement) >= 0;
        default:
                return false;
        }
}
