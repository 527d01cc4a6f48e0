/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_API_PRECONDITION_H
#define EXC_API_PRECONDITION_H

#include "cloud/api/request.h"

/*
 * The version that a put or delete of the store expects, by If-Match and If-None-Match. `current`: the version that there
 * is, 0 for none; it is asked for only where `precondition_needs_current()`. False: 412 is the answer.
 */
bool precondition_needs_current(const struct request *request);
bool precondition_expected(struct request *request, int64_t current, int64_t *ret_expected);

#endif
