/* SPDX-License-Identifier: Apache-2.0 */
/* Carries one request out, on a worker thread: limits, caller, body, handler, outcome. */
#ifndef EXC_API_PROCESS_H
#define EXC_API_PROCESS_H

#include <stddef.h>

#include "cloud/api/request.h"

/*
 * `request` has route, target, address and method; `store` is this thread's, NULL where it cannot be opened. `authorization`
 * is the header's value or NULL; `body` may be NULL where `length` is 0. The request has an answer afterwards.
 */
void process_request(struct request *request, struct store *store, const char *authorization, const char *body,
                     size_t length);

/* The body of the answer, from malloc(), which may hold a secret. NULL: none, or no memory. */
char *process_answer_text(const struct request *request, size_t *ret_length);

/* A new request with an id of its own, for `api`. NULL: no memory, or no random bytes. */
struct request *process_request_new(struct api *api);
void process_request_free(struct request *request);

#endif
