/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/instance_id_dispute.h"

#include <stdlib.h>
#include <string.h>

#include "common/store.h"

bool instance_id_dispute(char ret_why[static INSTANCE_ID_WHY_MAX], bool *ret_by_file) {
        struct instance_id id = {.id = ""};
        struct config *config = NULL;
        bool disputed;

        /* The agent's, while it runs. */
        (void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/exc-instance-connect.service", 0);
        if (config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return false;
        instance_id_refresh(&id, config, CONFIG_DIR, STORE_RUNTIME_DIR);
        disputed = instance_id_disputed(&id, ret_why);
        *ret_by_file = disputed && strcmp(id.source, "the file " INSTANCE_ID_FILE) == 0;
        instance_id_clear(&id);
        config_free(config);
        return disputed;
}
