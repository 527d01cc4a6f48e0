/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "cloud/api/journal.h"
#include "cloud/policy/policy_cache.h"

enum {
        POLICIES_MAX = 4096,
        POLICIES_BYTES_MAX = 64 << 20,
};

int api_open_store(const struct api *api, struct store **ret, char ret_why[static STORE_WHY_MAX]) {
        return store_open(api->config->database, false, api->config->durable, ret, ret_why);
}

int api_start(const struct api_config *config, struct api *ret) {
        char why[AUDIT_WHY_MAX];
        int r;

        *ret = (struct api){.config = config};
        r = audit_open(config->audit, config->node, &ret->audit, why);
        if (r < 0) {
                journal_note(LOG_ERR, "%s", why);
                return r;
        }
        ret->policies = policy_cache_new(POLICIES_MAX, POLICIES_BYTES_MAX);
        ret->limits = limits_new(config->rates);
        if (ret->policies && ret->limits)
                return 0;
        api_stop(ret);
        return -ENOMEM;
}

void api_stop(struct api *api) {
        audit_close(api->audit);
        if (api->policies)
                policy_cache_free(api->policies);
        limits_free(api->limits);
        *api = (struct api){.config = NULL};
}
