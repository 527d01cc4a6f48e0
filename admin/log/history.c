/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history.h"

#include <errno.h>
#include <stdlib.h>

#include "admin/log/history_explain.h"
#include "admin/log/history_internal.h"
#include "admin/log/history_pushes.h"

#define OPENING_US (30 * US_PER_S)      /* from "Accepted" to the session, which PAM may keep waiting */
#define REMEMBERED_US (3600 * US_PER_S) /* pushes whose key is gone */
#define SET_BACK_US (60 * US_PER_S)     /* events that are so much older than others come of a clock that was set */

/* A loss may be about anybody. */
static bool of_user(const struct history *history, const struct story *story) {
        const struct history_view *view = &history->view;

        return !view->user || story->kind == STORY_LOSS || same_text(view->user, story->user) ||
               (story->user && same_text(view->user, view->own_name(view->context, story->user)));
}

static bool of_view(const struct history *history, const struct story *story) {
        return story->last_us >= history->view.since_us && of_user(history, story);
}

static void tell(struct history *history, struct node *node) {
        if (of_view(history, &node->story))
                history->view.tell(history->view.context, &node->story);
}

void node_settle(struct history *history, struct node *node) {
        node_leave_bucket(history, node);
        if (node->queued) {
                queue_remove(&history->over, node);
                queue_remove(&history->opening, node);
        }
        if (node->settled)
                return;
        node_explain(history, node);
        node->settled = true;
        if (!node_concerns(history, node))
                node_free(history, node);
        else if (history->follow) {
                tell(history, node);
                node_free(history, node);
        }
}

/* Tells those at the head of the row that are settled. */
static void tell_in_order(struct history *history) {
        while (history->first && history->first->settled) {
                tell(history, history->first);
                node_free(history, history->first);
        }
}

/* So many are open that others wait for them: those are told before their turn, or else the first as it is. */
void history_make_room(struct history *history) {
        if (history->n < HISTORY_STORIES_MAX)
                return;
        for (struct node *at = history->first, *next; at; at = next) {
                next = at->next;
                if (at->settled) {
                        tell(history, at);
                        node_free(history, at);
                }
        }
        while (history->n >= HISTORY_STORIES_MAX) {
                struct node *first = history->first;
                size_t n = history->n;

                if (first->told_open) {
                        node_free(history, first);
                        continue;
                }
                node_settle(history, first);
                if (history->n == n) {
                        tell(history, first);
                        node_free(history, first);
                }
        }
}

void node_tell_open(struct history *history, struct node *node) {
        if (!history->follow || node->told_open || node->ended || node->story.accepted_us == 0)
                return;
        node_explain(history, node);
        if (!node_concerns(history, node))
                return;
        node->told_open = true;
        node->story.running = node->story.opened_us > 0 && history->view.running(node->story.boot, node->story.pid);
        tell(history, node);
        node->story.running = false;
}

/* The clock may have been set back meanwhile. */
static bool due(const struct history *history, const struct node *node, int64_t after_us) {
        return node->queued_us + after_us <= history->now_us || node->queued_us > history->now_us;
}

static void settle_queue(struct history *history) {
        while (history->over.first && due(history, history->over.first, SETTLE_US))
                node_settle(history, history->over.first);
        while (history->opening.first) {
                struct node *node = history->opening.first;

                if (!due(history, node, history->follow ? SETTLE_US : OPENING_US))
                        break;
                queue_remove(&history->opening, node);
                if (node->ended)
                        queue_add(&history->over, node, history->now_us);
                else if (node->story.opened_us > 0 || history->follow)
                        node_tell_open(history, node);
                else
                        node_settle(history, node); /* without PAM nobody says when it is over */
        }
}

/* Who has neither logged in nor been refused in so long is not going to be. */
static void settle_silent(struct history *history) {
        if (history->now_us - history->swept_us < SILENCE_US / 10)
                return;
        history->swept_us = history->now_us;
        for (struct node *at = history->first, *next; at; at = next) {
                next = at->next;
                if (at->story.kind == STORY_CONNECTION && !at->settled && !at->ended && at->story.accepted_us == 0 &&
                    at->story.last_us + SILENCE_US < history->now_us)
                        node_settle(history, at);
                /* Without PAM nobody says when it is over. */
                else if (at->told_open && at->story.opened_us == 0 && !at->ended &&
                         at->story.accepted_us + OPENING_US < history->now_us)
                        node_free(history, at);
        }
        for (struct pushed *at = history->oldest, *next; at; at = next) {
                next = at->newer;
                if (at->end != PUSH_LIVES && at->ended_us + REMEMBERED_US < history->now_us)
                        pushed_free(history, at);
        }
}

int history_tick(struct history *history, int64_t now_us) {
        if (now_us > history->now_us || history->now_us - now_us > SET_BACK_US)
                history->now_us = now_us;
        if (history->swept_us > history->now_us)
                history->swept_us = history->now_us;
        settle_queue(history);
        settle_silent(history);
        if (!history->follow)
                tell_in_order(history);
        return history->over.first || history->opening.first ? 500 : -1;
}

void history_follow(struct history *history) {
        tell_in_order(history);
        history->follow = true;
        for (struct node *at = history->first, *next; at; at = next) {
                next = at->next;
                if (at->settled) {
                        tell(history, at);
                        node_free(history, at);
                } else if (at->story.opened_us > 0)
                        node_tell_open(history, at);
        }
}

void history_end_boot(struct history *history) {
        while (history->oldest) {
                struct node *node = history->oldest->unused;

                if (history->oldest->end == PUSH_LIVES)
                        history->oldest->end = PUSH_RESTARTED;
                if (node)
                        node_settle(history, node);
                pushed_free(history, history->oldest);
        }
        for (struct node *at = history->first, *next; at; at = next) {
                next = at->next;
                node_settle(history, at);
        }
        if (!history->follow)
                tell_in_order(history);
}

void history_end(struct history *history) {
        /* In order, whatever it is that is not settled. */
        history->follow = true;
        while (history->first) {
                struct node *node = history->first;
                struct story *story = &node->story;

                if (node->settled) {
                        tell(history, node);
                        node_free(history, node);
                        continue;
                }
                if (story->opened_us > 0 && story->closed_us == 0 && !node->ended)
                        story->running = history->view.running(story->boot, story->pid);
                /* Those that were told when they opened have nothing new to tell. */
                if (node->told_open && !node->ended)
                        node_free(history, node);
                else
                        node_settle(history, node);
        }
        history->follow = false;
        while (history->oldest)
                pushed_free(history, history->oldest);
}

int history_new(const struct history_view *view, struct history **ret) {
        struct history *history = calloc(1, sizeof(*history));

        if (!history)
                return -ENOMEM;
        history->view = *view;
        *ret = history;
        return 0;
}

void history_free(struct history *history) {
        if (!history)
                return;
        while (history->first)
                node_free(history, history->first);
        while (history->oldest)
                pushed_free(history, history->oldest);
        evidence_clear(&history->evidence);
        free(history);
}
