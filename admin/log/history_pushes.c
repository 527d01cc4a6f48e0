/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history_pushes.h"

#include <stdlib.h>

#include "admin/log/history.h"

#define STORED_NEARBY_US (2 * US_PER_S) /* between the event of the push and EXC_STORED */

static void leave(struct history *history, struct pushed *push) {
        if (push->older)
                push->older->newer = push->newer;
        else
                history->oldest = push->newer;
        if (push->newer)
                push->newer->older = push->older;
        else
                history->newest = push->older;
}

/* In the order of time, in which they nearly come. */
static void enter(struct history *history, struct pushed *push) {
        struct pushed *older = history->newest;

        while (older && older->at_us > push->at_us)
                older = older->older;
        push->older = older;
        push->newer = older ? older->newer : history->oldest;
        if (push->older)
                push->older->newer = push;
        else
                history->oldest = push;
        if (push->newer)
                push->newer->older = push;
        else
                history->newest = push;
}

struct pushed *pushed_new(struct history *history, const struct log_event *event, bool unseen) {
        struct pushed *push;

        if (history->n_pushed == HISTORY_PUSHES_MAX)
                pushed_forget(history);
        push = calloc(1, sizeof(*push));
        if (!push) {
                history->out_of_memory = true;
                return NULL;
        }
        push->at_us = event->at_us;
        push->unseen = unseen;
        history->n_unseen += unseen;
        history_set(history, &push->user, event->user);
        history_set(history, &push->fingerprint, event->fingerprint);
        history_set(history, &push->principal, event->principal);
        history_set(history, &push->request_id, event->request_id);
        enter(history, push);
        history->n_pushed++;
        return push;
}

void pushed_seen(struct history *history, struct pushed *push, int64_t at_us) {
        leave(history, push);
        push->at_us = at_us;
        push->unseen = false;
        history->n_unseen--;
        enter(history, push);
}

void pushed_free(struct history *history, struct pushed *push) {
        leave(history, push);
        history->n_pushed--;
        history->n_unseen -= push->unseen;
        if (push->unused)
                push->unused->push = NULL;
        free(push->user);
        free(push->fingerprint);
        free(push->principal);
        free(push->request_id);
        free(push->pids);
        free(push);
}

/* Those whose key is gone go first. The agent holds half as many live ones as fit here. */
void pushed_forget(struct history *history) {
        struct pushed *at = history->oldest;

        while (at && at->end == PUSH_LIVES)
                at = at->newer;
        pushed_free(history, at ? at : history->oldest);
}

static bool is_request_of(const struct pushed *push, const struct log_event *event) {
        return same_text(push->user, event->user) && same_text(push->principal, event->principal) &&
               same_text(push->request_id, event->request_id);
}

static bool is_push_of(const struct pushed *push, const struct log_event *event) {
        return same_text(push->fingerprint, event->fingerprint) && is_request_of(push, event);
}

/*
 * The helper gives out the newest, and the agent removes the oldest first. The event of a use at the last moment may come
 * after that of the end.
 */
struct pushed *pushed_claimed(struct history *history, const struct log_event *event) {
        struct pushed *ended = NULL;

        for (struct pushed *at = history->newest; at; at = at->older) {
                if (!is_push_of(at, event))
                        continue;
                if (at->end == PUSH_LIVES)
                        return at;
                if (!ended && at->ended_us + SETTLE_US >= event->at_us)
                        ended = at;
        }
        return ended;
}

struct pushed *pushed_ended(struct history *history, const struct log_event *event) {
        struct pushed *found = NULL;

        for (struct pushed *at = history->oldest; at; at = at->newer) {
                if (at->end != PUSH_LIVES || !is_push_of(at, event))
                        continue;
                if (event->stored_us == 0 || llabs(at->at_us - event->stored_us) <= STORED_NEARBY_US)
                        return at;
                if (!found)
                        found = at;
        }
        return found;
}

struct pushed *pushed_unseen(struct history *history, const struct log_event *event) {
        for (struct pushed *at = history->n_unseen > 0 ? history->oldest : NULL; at; at = at->newer)
                if (at->unseen && at->at_us >= event->at_us && is_push_of(at, event))
                        return at;
        return NULL;
}

bool pushed_used_by(const struct pushed *push, uint64_t pid) {
        for (size_t i = 0; i < push->n_pids; i++)
                if (push->pids[i] == pid)
                        return true;
        return false;
}

bool pushed_another_used_by(const struct history *history, const struct log_event *event, uint64_t pid) {
        for (const struct pushed *at = history->newest; at; at = at->older)
                if (!same_text(at->fingerprint, event->fingerprint) && is_request_of(at, event) &&
                    pushed_used_by(at, pid))
                        return true;
        return false;
}

void pushed_use(struct history *history, struct pushed *push, uint64_t pid) {
        uint64_t *pids;

        if (push->unused)
                node_free(history, push->unused);
        if (pid == 0 || push->n_pids == GRANT_CONNECTIONS_MAX || pushed_used_by(push, pid))
                return;
        pids = reallocarray(push->pids, push->n_pids + 1, sizeof(*pids));
        if (!pids) {
                history->out_of_memory = true;
                return;
        }
        push->pids = pids;
        push->pids[push->n_pids++] = pid;
}

struct pushed *pushed_key(struct history *history, const char *fingerprint, const char *user) {
        struct pushed *others = NULL;

        for (struct pushed *at = history->newest; at; at = at->older) {
                if (!same_text(at->fingerprint, fingerprint))
                        continue;
                if (same_text(at->user, user))
                        return at;
                if (!others)
                        others = at;
        }
        return others;
}

struct pushed *pushed_before(struct history *history, const struct story *story) {
        for (struct pushed *at = history->newest; at && at->at_us >= story->at_us - NEARBY_US; at = at->older)
                if (at->at_us <= story->last_us && same_text(at->user, story->user))
                        return at;
        return NULL;
}

bool pushed_lived_at(const struct pushed *push, int64_t us) {
        return push->end == PUSH_LIVES || push->ended_us > us;
}

size_t pushed_count_at(const struct history *history, const char *fingerprint, const char *user, int64_t us) {
        size_t n = 0;

        for (const struct pushed *at = history->newest; at; at = at->older)
                n += at->at_us <= us && pushed_lived_at(at, us) && same_text(at->fingerprint, fingerprint) &&
                     same_text(at->user, user);
        return n;
}

bool pushed_shortly_before(const struct history *history, const struct story *story) {
        const struct pushed *at = history->newest;

        while (at && at->at_us > story->last_us)
                at = at->older;
        return at && at->at_us >= story->at_us - NEARBY_US;
}
