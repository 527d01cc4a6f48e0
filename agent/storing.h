/* SPDX-License-Identifier: Apache-2.0 */
/* From an allowed push to a grant in the store. */
#ifndef EXC_STORING_H
#define EXC_STORING_H

#include "agent/agent.h"
#include "agent/push.h"

/*
 * Stores the push for `user`, the name that the name service has, within the limits, and writes the audit events.
 * `ret_life_s`: how long the keys live. REFUSAL_NONE, StoreFull or StorageFailure.
 */
enum refusal storing_push(struct agent *agent, const struct push *push, const char *user, int64_t *ret_life_s,
                          struct refused *ret_why);

#endif
