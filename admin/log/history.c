/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/log/history_internal.h"

#define OPENING_US (30 * US_PER_S)      /* from "Accepted" to the session, which PAM may keep waiting */
#define REMEMBERED_US (3600 * US_PER_S) /* pushes whose key is gone */
#define SET_BACK_US (60 * US_PER_S)     /* events that are so much older than others come of a clock that was set */

/* --- stories -------------------------------------------------------------------------------------------------------- */

void history_set(struct history *history, char **text, const char *value) {
        char *copied;

        if (!value || !*value)
                return;
        copied = strdup(value);
        if (!copied) {
                history->out_of_memory = true;
                return;
        }
        free(*text);
        *text = copied;
}

void history_say(struct history *history, struct story *story, const char *format, ...) {
        va_list arguments;
        char *text;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0) {
                history->out_of_memory = true;
                return;
        }
        free(story->message);
        story->message = text;
}

static void leave_bucket(struct node *node) {
        if (node->bucketed)
                LIST_REMOVE(node, in_bucket);
        node->bucketed = false;
}

void node_leave_queue(struct node *node) {
        if (node->queue)
                TAILQ_REMOVE(node->queue, node, in_queue);
        node->queue = NULL;
}

void node_queue(struct history *history, struct nodes *queue, struct node *node) {
        if (node->queue)
                return;
        node->queue = queue;
        node->queued_us = history->now_us;
        TAILQ_INSERT_TAIL(queue, node, in_queue);
}

static void story_clear(struct story *story) {
        free(story->user);
        free(story->fingerprint);
        free(story->principal);
        free(story->request_id);
        free(story->address);
        free(story->message);
        free(story->method);
        free(story->unit);
}

void node_free(struct history *history, struct node *node) {
        char *const texts[] = {node->failed_fingerprint, node->accepted_fingerprint, node->partial_fingerprint,
                               node->helper_failure,     node->key_refused,          node->command_failure,
                               node->user_detail,        node->pam_detail,           node->source,
                               node->end_detail};

        leave_bucket(node);
        node_leave_queue(node);
        TAILQ_REMOVE(&history->nodes, node, in_order);
        history->n--;
        if (node->push)
                node->push->unused = NULL;
        for (size_t i = 0; i < node->n_offers; i++) {
                free(node->offers[i].user);
                free(node->offers[i].fingerprint);
                free(node->offers[i].principal);
                free(node->offers[i].request_id);
                free(node->offers[i].together);
        }
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                free(texts[i]);
        story_clear(&node->story);
        free(node);
}

struct offer *node_add_offer(struct history *history, struct node *node, const char *user, const char *fingerprint,
                             const char *principal, const char *request_id) {
        struct offer *offer;

        if (node->n_offers == STORY_KEYS_MAX)
                return NULL;
        offer = &node->offers[node->n_offers++];
        history_set(history, &offer->user, user);
        history_set(history, &offer->fingerprint, fingerprint);
        history_set(history, &offer->principal, principal);
        history_set(history, &offer->request_id, request_id);
        return offer;
}

struct node *node_new(struct history *history, enum story_kind kind, int64_t at_us) {
        struct node *node = calloc(1, sizeof(*node)), *before;

        if (!node) {
                history->out_of_memory = true;
                return NULL;
        }
        node->story.kind = kind;
        node->story.boot = history->boot;
        node->story.at_us = node->story.last_us = at_us;
        /* They come nearly in order. */
        TAILQ_FOREACH_REVERSE(before, &history->nodes, nodes, in_order)
                if (before->story.at_us <= at_us)
                        break;
        if (before)
                TAILQ_INSERT_AFTER(&history->nodes, before, node, in_order);
        else
                TAILQ_INSERT_HEAD(&history->nodes, node, in_order);
        history->n++;
        return node;
}

/* --- telling -------------------------------------------------------------------------------------------------------- */

/* A loss may be about any user, and of a dropped connection's user nothing is known. */
static bool of_user(const struct history *history, const struct story *story) {
        const struct history_view *view = &history->view;

        return !view->user || story->kind == STORY_LOSS || story->kind == STORY_DROP ||
               same_text(view->user, story->user) ||
               (story->user && same_text(view->user, view->own_name(view->context, story->user)));
}

/* A key that waits is of the present. */
static bool of_view(const struct history *history, const struct story *story) {
        return (story->last_us >= history->view.since_us ||
                (story->outcome == STORY_WAITING && sd_id128_equal(story->boot, history->boot))) &&
               of_user(history, story);
}

static void tell(struct history *history, struct node *node) {
        if (of_view(history, &node->story))
                history->view.tell(history->view.context, &node->story);
}

/* Nothing more is expected of it. It may be gone afterwards. */
void node_settle(struct history *history, struct node *node) {
        leave_bucket(node);
        node_leave_queue(node);
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
        struct node *first;

        while ((first = TAILQ_FIRST(&history->nodes)) && first->settled) {
                tell(history, first);
                node_free(history, first);
        }
}

/* So many are open that others wait for them: those are reported before their turn, or else the first as it is. */
void history_make_room(struct history *history) {
        struct node *at, *next;

        if (history->n < HISTORY_STORIES_MAX)
                return;
        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next) {
                if (at->settled) {
                        tell(history, at);
                        node_free(history, at);
                }
        }
        while (history->n >= HISTORY_STORIES_MAX) {
                struct node *first = TAILQ_FIRST(&history->nodes);
                size_t n = history->n;

                if (first->reported_open) {
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

/* A connection that was let in is worth a line at once, when it is followed. */
void node_tell_open(struct history *history, struct node *node) {
        if (!history->follow || node->reported_open || node->ended || node->story.accepted_us == 0)
                return;
        node_explain(history, node);
        if (!node_concerns(history, node))
                return;
        node->reported_open = true;
        node->story.running = node->story.opened_us > 0 && history->view.running(node->story.boot, node->story.pid);
        tell(history, node);
        node->story.running = false;
}

/* The clock may have been set back meanwhile. */
static bool due(const struct history *history, const struct node *node, int64_t after_us) {
        return node->queued_us + after_us <= history->now_us || node->queued_us > history->now_us;
}

static void settle_queue(struct history *history) {
        struct node *node;

        while ((node = TAILQ_FIRST(&history->over)) && due(history, node, SETTLE_US))
                node_settle(history, node);
        while ((node = TAILQ_FIRST(&history->opening))) {
                if (!due(history, node, history->follow ? SETTLE_US : OPENING_US))
                        break;
                node_leave_queue(node);
                if (node->ended)
                        node_queue(history, &history->over, node);
                else if (node->story.opened_us > 0 || history->follow)
                        node_tell_open(history, node);
                else
                        node_settle(history, node); /* without PAM nobody says when it is over */
        }
}

/* Who has neither logged in nor been refused in so long is not going to be. */
static void settle_silent(struct history *history) {
        struct node *at, *next;
        struct pushed *push, *newer;

        if (history->now_us - history->swept_us < SILENCE_US / 10)
                return;
        history->swept_us = history->now_us;
        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next) {
                if (at->story.kind == STORY_CONNECTION && !at->settled && !at->ended && at->story.accepted_us == 0 &&
                    at->story.opened_us == 0 && at->story.last_us + SILENCE_US < history->now_us)
                        node_settle(history, at);
                /* Without PAM nobody says when it is over. */
                else if (at->reported_open && at->story.opened_us == 0 && !at->ended &&
                         at->story.accepted_us + OPENING_US < history->now_us)
                        node_free(history, at);
        }
        TAILQ_FOREACH_SAFE(push, &history->pushes, by_time, newer) {
                if (push->end != PUSH_LIVES && push->ended_us + REMEMBERED_US < history->now_us)
                        pushed_free(history, push);
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
        return !TAILQ_EMPTY(&history->over) || !TAILQ_EMPTY(&history->opening) ? 500 : -1;
}

void history_follow(struct history *history) {
        struct node *at, *next;

        tell_in_order(history);
        history->follow = true;
        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next) {
                if (at->settled) {
                        tell(history, at);
                        node_free(history, at);
                } else if (at->story.opened_us > 0)
                        node_tell_open(history, at);
        }
}

/* With a machine that goes down, all ends. What pushes are about is known once the connections are explained. */
static void end_boot(struct history *history) {
        struct node *at, *next;
        struct pushed *push;

        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next)
                if (!at->push)
                        node_settle(history, at);
        while ((push = TAILQ_FIRST(&history->pushes))) {
                if (push->end == PUSH_LIVES)
                        push->end = PUSH_RESTARTED;
                if (push->unused)
                        node_settle(history, push->unused);
                pushed_free(history, push);
        }
        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next)
                node_settle(history, at);
        if (!history->follow)
                tell_in_order(history);
}

void history_end(struct history *history) {
        struct node *node;

        /* A push is reported before the connection that used it. */
        TAILQ_FOREACH(node, &history->nodes, in_order)
                node_explain(history, node);
        /* In order, whatever it is that is not settled. */
        history->follow = true;
        while ((node = TAILQ_FIRST(&history->nodes))) {
                struct story *story = &node->story;

                if (node->settled) {
                        tell(history, node);
                        node_free(history, node);
                        continue;
                }
                if (story->opened_us > 0 && story->closed_us == 0 && !node->ended)
                        story->running = history->view.running(story->boot, story->pid);
                /* Those that were reported when they opened have nothing new to report. */
                if (node->reported_open && !node->ended)
                        node_free(history, node);
                else
                        node_settle(history, node);
        }
        history->follow = false;
        while (!TAILQ_EMPTY(&history->pushes))
                pushed_free(history, TAILQ_FIRST(&history->pushes));
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

void history_forget_failure(struct history *history) {
        struct failure *failure = STAILQ_FIRST(&history->failures);

        STAILQ_REMOVE_HEAD(&history->failures, next);
        history->n_failures--;
        free(failure->user);
        free(failure->message);
        free(failure);
}

int history_foresee(struct history *history, const struct log_event *event) {
        return evidence_add(&history->evidence, event) ? 0 : -ENOMEM;
}

int history_add(struct history *history, const struct log_event *event) {
        history->out_of_memory = false;
        if (!sd_id128_equal(history->boot, event->boot)) {
                bool rebooted = !sd_id128_is_null(history->boot);

                /* What ends here was not after it. */
                end_boot(history);
                history->rebooted = rebooted;
                history->boot = event->boot;
                /* The clock may have been set back in between. */
                history->now_us = history->swept_us = event->sent_us;
        }
        (void)history_tick(history, event->sent_us);
        /* Events that came after the first pass. */
        if (history_foresee(history, event) < 0)
                return -ENOMEM;
        event_take(history, event);
        return history->out_of_memory ? -ENOMEM : 0;
}

int history_new(const struct history_view *view, struct history **ret) {
        struct history *history = calloc(1, sizeof(*history));

        if (!history)
                return -ENOMEM;
        history->view = *view;
        TAILQ_INIT(&history->nodes);
        TAILQ_INIT(&history->over);
        TAILQ_INIT(&history->opening);
        TAILQ_INIT(&history->pushes);
        STAILQ_INIT(&history->failures);
        evidence_init(&history->evidence);
        *ret = history;
        return 0;
}

void history_free(struct history *history) {
        if (!history)
                return;
        while (!TAILQ_EMPTY(&history->nodes))
                node_free(history, TAILQ_FIRST(&history->nodes));
        while (!TAILQ_EMPTY(&history->pushes))
                pushed_free(history, TAILQ_FIRST(&history->pushes));
        while (!STAILQ_EMPTY(&history->failures))
                history_forget_failure(history);
        evidence_clear(&history->evidence);
        free(history);
}
