/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cloud/api/delivery.h"
#include "cloud/api/docs.h"
#include "cloud/api/host_reports.h"
#include "cloud/api/in_flight.h"
#include "cloud/api/journal.h"
#include "cloud/api/revoke_queue.h"
#include "cloud/policy/policy_cache.h"

enum {
        POLICIES_MAX = 4096,
        POLICIES_BYTES_MAX = 64 << 20,

        /* Calls to guests: of one instance, of one host. */
        CONNECTS_PER_INSTANCE = 8,
        CONNECTS_PER_HOST = 64,
        REVOKES_PER_INSTANCE = 4,
        REVOKES_PER_HOST = 16,
};

int api_open_store(const struct api *api, struct store **ret, char ret_why[static STORE_WHY_MAX]) {
        return store_open(api->config->database, false, api->config->durable, ret, ret_why);
}

/* Connects may take three quarters of the workers, and revocations an eighth that no connect takes from them. */
static bool make_bounds(struct api *api) {
        size_t workers = api->config->workers;

        api->connects = in_flight_new((struct in_flight_bounds){
                .instance = CONNECTS_PER_INSTANCE,
                .host = CONNECTS_PER_HOST,
                .all = workers > 4 ? workers / 4 * 3 : 1,
        });
        api->revokes = in_flight_new((struct in_flight_bounds){
                .instance = REVOKES_PER_INSTANCE,
                .host = REVOKES_PER_HOST,
                .all = workers > 8 ? workers / 8 : 1,
        });
        return api->connects && api->revokes;
}

static int start_delivery(struct api *api) {
        int r;

        api->delivery = delivery_new(api->config);
        if (!api->delivery || !make_bounds(api))
                return -ENOMEM;
        r = revoke_queue_start(api->audit, api->delivery, &api->revoke_queue);
        return r < 0 ? r : host_reports_start(api, &api->host_reports);
}

/* The page is no reason not to start. */
static void load_docs(struct api *api) {
        const char *directory = api->config->docs, *name;
        int r = docs_load(directory, &api->docs, &name);

        if (r < 0 && r != -ENOENT)
                journal_note(LOG_WARNING, "DocsDirectory: %s%s%s: %s; /docs is not served", directory,
                             name[0] ? "/" : "", name, r == -ENODATA ? "the file is missing" : strerror(-r));
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
        r = ret->policies && ret->limits ? start_delivery(ret) : -ENOMEM;
        if (r >= 0)
                load_docs(ret);
        else {
                journal_note(LOG_ERR, "cannot start: %s", strerror(-r));
                api_stop(ret);
        }
        return r;
}

void api_stop(struct api *api) {
        host_reports_stop(api->host_reports);
        revoke_queue_stop(api->revoke_queue);
        in_flight_free(api->connects);
        in_flight_free(api->revokes);
        delivery_free(api->delivery);
        audit_close(api->audit);
        if (api->policies)
                policy_cache_free(api->policies);
        limits_free(api->limits);
        docs_free(api->docs);
        *api = (struct api){.config = NULL};
}
