/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/api/audit_line.h"
#include "cloud/api/auth.h"

struct page {
        const struct page_kind *kind;
        void *context;
        size_t limit;
        char after[STORE_NAME_MAX]; /* the last row that was looked at */
        size_t n_rows;
        bool more; /* there may be rows after it */
        json_t *items;
};

static bool take_limit(struct request *request, struct page *page) {
        const char *text = request_query(request, "limit");
        size_t limit = 0;

        page->limit = PAGE_LIMIT_DEFAULT;
        if (!text)
                return true;
        if (strlen(text) <= 4 && strspn(text, "0123456789") == strlen(text))
                limit = (size_t)strtoul(text, NULL, 10);
        if (limit < 1 || limit > STORE_LIST_MAX)
                return request_refuse_field(request, "limit", "limit: expected 1 to %d", STORE_LIST_MAX);
        page->limit = limit;
        return true;
}

static bool take_cursor(struct request *request, struct page *page) {
        const char *text = request_query(request, "cursor");

        if (!text)
                return true;
        if (strlen(text) >= sizeof(page->after))
                return request_refuse_field(request, "cursor", "cursor: expected the next of an earlier answer");
        memcpy(page->after, text, strlen(text) + 1);
        return true;
}

static bool may_get(const struct request *request, const struct page_kind *kind, const char *name) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), "%s%s", kind->resource, name);
        return auth_evaluate(request, kind->action, resource, NULL, NULL) == POLICY_ALLOW;
}

/* False: no memory. */
static bool add_rows(const struct request *request, struct page *page, const char *rows, size_t n) {
        const struct page_kind *kind = page->kind;

        for (size_t i = 0; i < n; i++) {
                const void *row = rows + i * kind->row_size;
                const char *name = kind->name(row);

                if (json_array_size(page->items) == page->limit) {
                        page->more = true;
                        return true;
                }
                if (may_get(request, kind, name) && json_array_append_new(page->items, kind->show(request, row)) < 0)
                        return false;
                memcpy(page->after, name, strlen(name) + 1);
                page->n_rows++;
        }
        return true;
}

static bool fill(struct request *request, struct page *page, char *rows) {
        do {
                size_t n = 0, step = page->limit < PAGE_STEP ? page->limit + 1 : PAGE_STEP;
                enum store_result result = page->kind->read(request, page->context, page->after, step, rows, &n);

                if (result != STORE_OK)
                        return request_refuse_store(request, result, "list");
                page->more = n == step;
                if (!add_rows(request, page, rows, n))
                        return request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
        } while (page->more && json_array_size(page->items) < page->limit && page->n_rows < PAGE_ROWS_MAX);
        return true;
}

/* No one resource is asked for: each item is decided on. The line says that the list was read. */
static bool note_list(struct request *request, const struct page_kind *kind) {
        char resource[sizeof(request->audit.resource)], action[sizeof(request->audit.action)];
        size_t n = (size_t)(strrchr(kind->action, ':') - kind->action);

        (void)snprintf(action, sizeof(action), "%.*s:list", (int)n, kind->action);
        (void)snprintf(resource, sizeof(resource), "%s*", kind->resource);
        request_note(request, action, action);
        request_note(request, resource, resource);
        return audit_line_decision(request, true);
}

void page_answer(struct request *request, const struct page_kind *kind, void *context) {
        struct page page = {.kind = kind, .context = context, .items = json_array()};
        char *rows = calloc(PAGE_STEP + 1, kind->row_size);

        if (!page.items || !rows)
                (void)request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
        else if (take_limit(request, &page) && take_cursor(request, &page) && note_list(request, kind) &&
                 fill(request, &page, rows))
                request_answer(request, 200,
                               json_pack("{s:O, s:o}", "items", page.items, "next",
                                         page.more ? json_string(page.after) : json_null()));
        json_decref(page.items);
        free(rows);
}
