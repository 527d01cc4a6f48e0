/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history_pushes.h"

#include <stdlib.h>

void pushed_free(struct history *history, struct pushed *push) {
        if (push->older)
                push->older->newer = push->newer;
        else
                history->oldest = push->newer;
        if (push->newer)
                push->newer->older = push->older;
        else
                history->newest = push->older;
        history->n_pushed--;
        free(push->user);
        free(push->fingerprint);
        free(push->principal);
        free(push->request_id);
        free(push);
}

/* Those whose key is gone go first. The agent holds half as many live ones as fit here. */
void pushed_forget(struct history *history) {
        struct pushed *at = history->oldest;

        while (at && at->end == PUSH_LIVES)
                at = at->newer;
        pushed_free(history, at ? at : history->oldest);
}

static bool is_push_of(const struct pushed *push, const struct log_event *event) {
        return same_text(push->fingerprint, event->fingerprint) && same_text(push->user, event->user) &&
               same_text(push->principal, event->principal) && same_text(push->request_id, event->request_id);
}

/* The helper gives out the newest, and the agent removes the oldest first. */
struct pushed *pushed_claimed(struct history *history, const struct log_event *event) {
        for (struct pushed *at = history->newest; at; at = at->older)
                if (at->end == PUSH_LIVES && is_push_of(at, event))
                        return at;
        return NULL;
}

struct pushed *pushed_ended(struct history *history, const struct log_event *event) {
        for (struct pushed *at = history->oldest; at; at = at->newer)
                if (at->end == PUSH_LIVES && is_push_of(at, event))
                        return at;
        return NULL;
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

bool pushed_shortly_before(const struct history *history, const struct story *story) {
        const struct pushed *at = history->newest;

        while (at && at->at_us > story->last_us)
                at = at->older;
        return at && at->at_us >= story->at_us - NEARBY_US;
}
