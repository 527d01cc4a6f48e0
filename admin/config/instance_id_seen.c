/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/instance_id_seen.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "admin/probe.h"
#include "admin/system_user.h"
#include "agent/config.h"
#include "common/store.h"

enum { LOOK_MS = 10 * 1000 };

/* `context` is in shared memory; the texts are constants of the program. */
static void look(void *context) {
        struct instance_seen *seen = context;
        struct instance_id instance = {.id = ""};
        struct config *config;

        (void)probe_become(AGENT_USER);
        if (config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return;
        instance_id_refresh(&instance, config, CONFIG_DIR, STORE_RUNTIME_DIR);
        memcpy(seen->id, instance.id, sizeof(seen->id));
        seen->source = instance.source;
        seen->fault = instance.fault;
}

int instance_id_seen(struct instance_seen *ret) {
        struct instance_seen *seen =
                mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int r;

        if (seen == MAP_FAILED)
                return -ENOMEM;
        r = probe_run(look, seen, LOOK_MS);
        if (r >= 0)
                *ret = *seen;
        (void)munmap(seen, sizeof(*seen));
        return r < 0 ? r : 0;
}
