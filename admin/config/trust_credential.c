/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/trust_credential.h"

#include <unistd.h>

#include "agent/config.h"

#define AGENTS "/run/credentials/exc-instance-connect.service/" TRUST_CREDENTIAL
#define MACHINES "/run/credentials/@system/" TRUST_CREDENTIAL

const char *trust_credential_read(struct trust_anchors *ret, trust_note note, void *context) {
        const char *own = trust_credential_path(), *path = own ? own : access(AGENTS, F_OK) == 0 ? AGENTS : MACHINES;

        trust_read_credential(ret, path, note, context);
        return path;
}

bool trust_credential_counts(const struct trust_anchors *anchors) {
        struct config *config;
        bool counts;

        if (!anchors->complete || anchors->n > 0 || config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return false;
        counts = !config->error && config->trust_credential;
        config_free(config);
        return counts;
}
