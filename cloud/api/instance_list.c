/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/handlers.h"
#include "cloud/api/instance.h"
#include "cloud/api/page.h"

static enum store_result read_rows(struct request *request, void *context, const char *after, size_t max, void *rows,
                                   size_t *ret_n) {
        (void)context;
        return store_instance_list(request->store, request_query(request, "name"), after, max, rows, ret_n);
}

static const char *name_of(const void *row) {
        return ((const struct store_instance *)row)->id;
}

static json_t *show(const struct request *request, const void *row) {
        return instance_json(request, row);
}

void instance_list(struct request *request) {
        static const struct page_kind kind = {
                .action = "compute:instance:get",
                .resource = "exc:compute:instance/",
                .row_size = sizeof(struct store_instance),
                .read = read_rows,
                .name = name_of,
                .show = show,
        };

        page_answer(request, &kind, NULL);
}
