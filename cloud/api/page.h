/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: {"items", "next"}, by `limit` and `cursor`, with those items alone that the caller may get. `next` is the cursor
 * of the next page, null at the end. A page may have fewer items than its limit, even none, and a next one: a request
 * looks at so many rows at most.
 */
#ifndef EXC_API_PAGE_H
#define EXC_API_PAGE_H

#include "cloud/api/request.h"

enum {
        PAGE_LIMIT_DEFAULT = 100,
        PAGE_ROWS_MAX = 20000, /* that one request looks at */
        PAGE_STEP = 200,       /* rows that are read at a time */
};

/*
 * One kind of list. `read` fills at most `max` rows of `row_size` bytes after `after`; `context` is page_answer()'s.
 * `name` is a row's name, by which the rows are ordered; `show` its item, NULL without memory.
 */
struct page_kind {
        const char *action;   /* what the caller must be allowed on an item: "compute:instance:get" */
        const char *resource; /* what comes before its name: "exc:compute:instance/" */
        size_t row_size;
        enum store_result (*read)(struct request *request, void *context, const char *after, size_t max, void *rows,
                                  size_t *ret_n);
        const char *(*name)(const void *row);
        json_t *(*show)(const struct request *request, const void *row);
};

/* Writes the decision, and answers the request with one page. */
void page_answer(struct request *request, const struct page_kind *kind, void *context);

#endif
