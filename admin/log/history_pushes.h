/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that were pushed, as far as they matter to what comes after. */
#ifndef EXC_HISTORY_PUSHES_H
#define EXC_HISTORY_PUSHES_H

#include "admin/log/history_node.h"
#include "admin/log/log_event.h"

enum push_end {
        PUSH_LIVES,
        PUSH_EXPIRED,
        PUSH_REVOKED,
};

/* A key that was pushed. */
struct pushed {
        struct pushed *older, *newer;
        struct node *unused; /* its story, until a connection is given it */
        char *user, *fingerprint, *principal, *request_id;
        int64_t at_us, ended_us;
        enum push_end end;
};

void pushed_free(struct history *history, struct pushed *push);

/* The one that matters least. */
void pushed_forget(struct history *history);

/* The live push that an event of the helper, or of the agent, is about. NULL: it is not known. */
struct pushed *pushed_claimed(struct history *history, const struct log_event *event);
struct pushed *pushed_ended(struct history *history, const struct log_event *event);

/* The newest of a key, of that user before others. */
struct pushed *pushed_key(struct history *history, const char *fingerprint, const char *user);

/* The last one for its user before somebody was refused, and not long before. */
struct pushed *pushed_before(struct history *history, const struct story *story);
bool pushed_lived_at(const struct pushed *push, int64_t us);

/* Whether there was any, for whoever, shortly before. */
bool pushed_shortly_before(const struct history *history, const struct story *story);

#endif
