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
        PUSH_RESTARTED, /* the machine was */
};

/* A key that was pushed. */
struct pushed {
        struct pushed *older, *newer;
        struct node *unused; /* its story, until a use is known */
        char *user, *fingerprint, *principal, *request_id;
        int64_t at_us; /* when it was stored; if `unseen`, when it was first used */
        int64_t ended_us;
        enum push_end end;
        bool unseen;       /* known from its use alone */
        bool proven;       /* by its end, no connection took a slot */
        bool used_another; /* the connections that its end names used another key of the push */
        uint64_t *pids;    /* connections that the helper gave it to */
        size_t n_pids;
};

/* In the order of time, without a story. NULL without memory. */
struct pushed *pushed_new(struct history *history, const struct log_event *event, bool unseen);
void pushed_free(struct history *history, struct pushed *push);

/* The event of an unseen push came: it was stored at `at_us`. */
void pushed_seen(struct history *history, struct pushed *push, int64_t at_us);

/* The one that matters least. */
void pushed_forget(struct history *history);

/* The live push that an event of the helper, or of the agent, is about. NULL: it is not known. */
struct pushed *pushed_claimed(struct history *history, const struct log_event *event);
struct pushed *pushed_ended(struct history *history, const struct log_event *event);

/* The unseen push that an event of the agent's is about. NULL: there is none. */
struct pushed *pushed_unseen(struct history *history, const struct log_event *event);

/* Records a use by process `pid`, or by an unknown one (0), and drops the story that it is not used. */
void pushed_use(struct history *history, struct pushed *push, uint64_t pid);
bool pushed_used_by(const struct pushed *push, uint64_t pid);

/* Whether the helper gave `pid` another key of the event's push. */
bool pushed_another_used_by(const struct history *history, const struct log_event *event, uint64_t pid);

/* The newest of a key, of that user before others. */
struct pushed *pushed_key(struct history *history, const char *fingerprint, const char *user);

/* The last one for its user before somebody was refused, and not long before. */
struct pushed *pushed_before(struct history *history, const struct story *story);
bool pushed_lived_at(const struct pushed *push, int64_t us);

/* How many pushes of that key for that user lived at `us`. */
size_t pushed_count_at(const struct history *history, const char *fingerprint, const char *user, int64_t us);

/* Whether there was any, for whoever, shortly before. */
bool pushed_shortly_before(const struct history *history, const struct story *story);

#endif
