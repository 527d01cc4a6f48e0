/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/handlers.h"
#include "cloud/api/openapi.h"

/* For proxies and monitoring: whether this server can answer requests at all, so whether it reaches its database. */
void health_get(struct request *request) {
        enum store_result result;
        int64_t latest;

        result = store_revocation_latest(request->store, &latest);
        if (result == STORE_UNAVAILABLE)
                (void)request_refuse_store(request, result, "health");
        else
                request_answer(request, 200, json_pack("{s:s}", "status", "ok"));
}

void openapi_get(struct request *request) {
        request->text = openapi_text;
        request->status = 200;
}
