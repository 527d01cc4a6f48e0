/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/log/history_internal.h"
#include "common/events.h"
#include "wire/refusal.h"

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

static void queue_remove(struct node *node) {
        if (node->queue)
                TAILQ_REMOVE(node->queue, node, in_queue);
        node->queue = NULL;
}

static void queue_add(struct history *history, struct nodes *queue, struct node *node) {
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
        queue_remove(node);
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
static void settle(struct history *history, struct node *node) {
        leave_bucket(node);
        queue_remove(node);
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
static void make_room(struct history *history) {
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
                settle(history, first);
                if (history->n == n) {
                        tell(history, first);
                        node_free(history, first);
                }
        }
}

/* A connection that was let in is worth a line at once, when it is followed. */
static void tell_open(struct history *history, struct node *node) {
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
                settle(history, node);
        while ((node = TAILQ_FIRST(&history->opening))) {
                if (!due(history, node, history->follow ? SETTLE_US : OPENING_US))
                        break;
                queue_remove(node);
                if (node->ended)
                        queue_add(history, &history->over, node);
                else if (node->story.opened_us > 0 || history->follow)
                        tell_open(history, node);
                else
                        settle(history, node); /* without PAM nobody says when it is over */
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
                    at->story.last_us + SILENCE_US < history->now_us)
                        settle(history, at);
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
                        tell_open(history, at);
        }
}

/* With a machine that goes down, all ends. What pushes are about is known once the connections are explained. */
static void end_boot(struct history *history) {
        struct node *at, *next;
        struct pushed *push;

        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next)
                if (!at->push)
                        settle(history, at);
        while ((push = TAILQ_FIRST(&history->pushes))) {
                if (push->end == PUSH_LIVES)
                        push->end = PUSH_RESTARTED;
                if (push->unused)
                        settle(history, push->unused);
                pushed_free(history, push);
        }
        TAILQ_FOREACH_SAFE(at, &history->nodes, in_order, next)
                settle(history, at);
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
                        settle(history, node);
        }
        history->follow = false;
        while (!TAILQ_EMPTY(&history->pushes))
                pushed_free(history, TAILQ_FIRST(&history->pushes));
}

/* --- events --------------------------------------------------------------------------------------------------------- */

#define BUCKET(history, pid) (&(history)->buckets[(pid) % BUCKETS])

static struct node *find_connection(struct history *history, uint64_t pid) {
        struct node *node;

        LIST_FOREACH(node, BUCKET(history, pid), in_bucket)
                if (node->story.pid == pid)
                        return node;
        return NULL;
}

/* The connection that an event is about, which may be the first that is heard of it. */
static struct node *connection_of(struct history *history, const struct log_event *event, bool begins) {
        struct node *node = find_connection(history, event->pid);

        /* An old connection whose end nobody wrote down, and a new process with its pid. */
        if (node && begins &&
            ((node->ended && node->story.last_us + SETTLE_US < event->at_us) ||
             (node->story.accepted_us > 0 && node->story.accepted_us + SETTLE_US < event->at_us) ||
             (node->story.accepted_us == 0 && node->story.last_us + SILENCE_US < event->at_us))) {
                settle(history, node);
                node = NULL;
        }
        if (!node) {
                make_room(history);
                node = node_new(history, STORY_CONNECTION, event->at_us);
                if (!node)
                        return NULL;
                node->story.pid = event->pid;
                LIST_INSERT_HEAD(BUCKET(history, event->pid), node, in_bucket);
                node->bucketed = true;
        }
        if (event->at_us > node->story.last_us)
                node->story.last_us = event->at_us;
        if (event->at_us < node->story.at_us)
                node->story.at_us = event->at_us;
        return node;
}

/* The agent's event of a push comes after the helper's event of its use. */
static void add_late_received(struct history *history, const struct log_event *event, struct pushed *push) {
        struct node *at;

        pushed_seen(history, push, event->at_us);
        TAILQ_FOREACH(at, &history->nodes, in_order)
                for (size_t i = 0; i < at->n_offers; i++) {
                        struct offer *offer = &at->offers[i];

                        if (offer->pushed_us == 0 && same_text(offer->fingerprint, push->fingerprint) &&
                            same_text(offer->user, push->user) && same_text(offer->request_id, push->request_id))
                                offer->pushed_us = event->at_us;
                }
}

static void add_received(struct history *history, const struct log_event *event) {
        struct pushed *push = pushed_unseen(history, event);
        struct node *node;

        if (pushed_is_known(history, event))
                return;

        if (push) {
                add_late_received(history, event, push);
                return;
        }
        make_room(history);
        push = pushed_new(history, event, false);
        node = push ? node_new(history, STORY_PUSH, event->at_us) : NULL;
        if (!node)
                return;
        node->story.outcome = STORY_WAITING;
        node->push = push;
        push->unused = node;
        history_set(history, &node->story.user, event->user);
        node_take_push(history, node, push);
}

/*
 * "METHOD[ for USER] refused, REASON: WHY[, asked by PRINCIPAL][, request ID]" (agent/audit.c). What the fields say is not
 * said twice.
 */
static void take_refusal(struct history *history, struct story *story, const struct log_event *event) {
        char text[sizeof(event->message)], mark[128], suffix[512];
        char *why, *end;
        int n = 0;

        (void)snprintf(text, sizeof(text), "%s", event->message);
        (void)snprintf(mark, sizeof(mark), " refused, %s: ", event->reason);
        why = strstr(text, mark);
        if (!why)
                return;
        *why = '\0';
        why += strlen(mark);
        text[strcspn(text, " ")] = '\0';
        history_set(history, &story->method, text);
        suffix[0] = '\0';
        if (event->principal[0])
                n = snprintf(suffix, sizeof(suffix), ", asked by %.200s", event->principal);
        if (event->request_id[0])
                (void)snprintf(suffix + n, sizeof(suffix) - (size_t)n, ", request %.200s", event->request_id);
        end = suffix[0] ? strstr(why, suffix) : NULL;
        if (end)
                *end = '\0';
        history_say(history, story, "%s", why);
}

static void add_refused(struct history *history, const struct log_event *event) {
        enum refusal why = refusal_from_name(event->reason);
        struct node *node;

        make_room(history);
        node = node_new(history, STORY_CALL_REFUSED, event->at_us);
        if (!node)
                return;
        node->story.outcome = STORY_REFUSED;
        node->story.why = refusal_name(why);
        history_set(history, &node->story.user, event->user);
        history_set(history, &node->story.principal, event->principal);
        history_set(history, &node->story.request_id, event->request_id);
        take_refusal(history, &node->story, event);
        settle(history, node);
}

/* Another push of the key may have given what the one before did not, or no longer does: the last one counts. */
static void take_offer_again(struct history *history, struct offer *offer, const struct log_event *event,
                             int64_t pushed_us) {
        if (event->kind == LOG_EVENT_CLAIMED && (!offer->given || offer->at_us <= event->at_us)) {
                offer->given = true;
                offer->at_us = event->at_us;
                offer->pushed_us = pushed_us;
                history_set(history, &offer->principal, event->principal);
                history_set(history, &offer->request_id, event->request_id);
        }
        offer->inferred = offer->event_lost = false;
}

static void add_offer(struct history *history, const struct log_event *event) {
        bool given = event->kind == LOG_EVENT_CLAIMED;
        struct pushed *push = pushed_claimed(history, event);
        struct node *node;
        struct offer *offer;

        if (!push)
                push = pushed_new(history, event, true);
        /* Where others hold all slots, it is used as well. */
        if (push)
                pushed_use(history, push, given ? event->pid : 0);
        node = event->pid > 0 ? connection_of(history, event, true) : NULL;
        if (!node)
                return;
        for (size_t i = 0; i < node->n_offers; i++)
                if (same_text(node->offers[i].fingerprint, event->fingerprint)) {
                        /* A used-up key is asked for twice, like any other. */
                        take_offer_again(history, &node->offers[i], event, push && !push->unseen ? push->at_us : 0);
                        return;
                }
        offer = node_add_offer(history, node, event->user, event->fingerprint, event->principal, event->request_id);
        if (!offer)
                return;
        offer->given = given;
        offer->at_us = event->at_us;
        offer->pushed_us = push && !push->unseen ? push->at_us : 0;
        history_set(history, &node->story.user, event->user);
        if (history->follow && node->story.opened_us > 0)
                tell_open(history, node);
}

/* A connection that took a slot, where no story has said so: there was no line of sshd's, or its story came before this. */
static void add_holder(struct history *history, const struct log_event *event, const struct slot_taken *slot) {
        struct node *node;

        make_room(history);
        node = node_new(history, STORY_CONNECTION, event->at_us);
        if (!node)
                return;
        node->story.pid = slot->pid;
        node->of_end = node->begun = true;
        /* The event of the use may come after that of the end. */
        queue_add(history, &history->over, node);
}

/* Looks for connections that took a slot without an event of the helper's. Returns whether there is one. */
static bool add_holders(struct history *history, const struct log_event *event) {
        struct key_end *end = evidence_of_end(&history->evidence, event);
        bool found = false;

        for (size_t i = 0; end && i < end->n; i++) {
                struct slot_taken *slot = &end->slots[i];

                if (evidence_use_known(history, end, slot->pid))
                        continue;
                found = true;
                /* An open connection has its story later, and events from before the reading are not known to be lost. */
                if (!slot->reported && end->from_us >= history->view.from_us && !find_connection(history, slot->pid))
                        add_holder(history, event, slot);
        }
        return found;
}

static void add_end_of_push(struct history *history, const struct log_event *event) {
        bool revoked = event->kind == LOG_EVENT_REVOKED;
        struct pushed *push = pushed_ended(history, event);
        bool used = add_holders(history, event);

        if (!push)
                return;
        push->end = revoked ? PUSH_REVOKED : PUSH_EXPIRED;
        push->clock_set = strcmp(event->reason, REASON_CLOCK_SET) == 0;
        push->ended_us = event->at_us;
        push->proven = event->slots_final && event->n_taken == 0;
        push->used_another = event->n_taken > 0;
        if (used || event->n_taken > event->n_pids)
                pushed_use(history, push, 0);
        if (!push->unused)
                return;
        /* The event of a use at the last moment may come after this one. */
        push->unused->story.last_us = event->at_us;
        queue_add(history, &history->over, push->unused);
}

/* A story of its own, at the time for which something may be missing. */
static void add_loss(struct history *history, const struct log_event *event) {
        bool known = event->lost_since_us > 0;
        struct node *node;

        make_room(history);
        node = node_new(history, STORY_LOSS, known ? event->lost_since_us : event->at_us);
        if (!node)
                return;
        node->story.outcome = STORY_LOST;
        node->story.last_us = event->at_us;
        node->story.n_lost = event->n_lost;
        history_set(history, &node->story.unit, event->unit);
        history_say(history, &node->story, "what is shown of %s may be incomplete",
                    known ? "that time" : "the time before");
        settle(history, node);
}

static void take_line(struct history *history, struct node *node, const struct sshd_line *line) {
        struct story *story = &node->story;

        /* The helper knows the whole name, and sshd cuts it. */
        if (node->n_offers == 0 && !story->user)
                history_set(history, &story->user, line->user);
        /* The first with a port stays: a connection has one. Without a port it may be a name, which the client can choose. */
        if (line->address[0] && strcmp(line->address, "UNKNOWN") != 0 &&
            (!story->address || (story->port == 0 && line->port > 0))) {
                history_set(history, &story->address, line->address);
                story->port = line->port;
        }
}

static void add_accepted(struct history *history, struct node *node, const struct log_event *event) {
        const struct sshd_line *line = &event->line;

        node->story.accepted_us = event->at_us;
        history_set(history, &node->story.user, node->n_offers == 0 ? line->user : NULL);
        history_set(history, &node->accepted_fingerprint, line->fingerprint);
        node->certificate = line->certificate;
        if (strcmp(line->method, "publickey") != 0)
                history_set(history, &node->story.method, line->method);
        else
                node->unnamed_key |= line->fingerprint[0] == '\0';
        queue_add(history, &history->opening, node);
}

static void add_ended(struct history *history, struct node *node) {
        node->ended = true;
        if (node->queue == &history->opening)
                queue_remove(node);
        queue_add(history, &history->over, node);
}

/* sshd did not let the client begin. What the line is of is sshd's main process, or one that says nothing else. */
static void add_drop(struct history *history, const struct log_event *event) {
        const struct sshd_line *line = &event->line;
        struct node *node;

        make_room(history);
        node = node_new(history, STORY_DROP, event->at_us);
        if (!node)
                return;
        node->story.outcome = STORY_REFUSED;
        node->story.why = WHY_DROPPED;
        node->story.port = line->port;
        history_set(history, &node->story.address, line->address);
        history_say(history, &node->story, "sshd dropped the connection before authentication: %s", line->detail);
        settle(history, node);
}

/* What sshd says of a client that is not in yet. */
static void take_attempt(struct history *history, struct node *node, const struct log_event *event) {
        const struct sshd_line *line = &event->line;

        switch (line->said) {
        case SSHD_SAID_PARTIAL:
                history_set(history, &node->partial_fingerprint, line->fingerprint);
                node->partial |= strcmp(line->method, "publickey") == 0;
                break;
        case SSHD_SAID_FAILED:
                if (line->fingerprint[0])
                        node->failed_us = event->at_us;
                history_set(history, &node->failed_fingerprint, line->fingerprint);
                break;
        case SSHD_SAID_KEY_REFUSED:
                history_set(history, &node->key_refused, line->detail);
                break;
        case SSHD_SAID_COMMAND_FAILED:
                history_set(history, &node->command_failure, line->detail);
                break;
        case SSHD_SAID_NO_SUCH_USER:
                node->no_such_user = true;
                break;
        case SSHD_SAID_USER_REFUSED:
                node->user_refused = true;
                history_set(history, &node->user_detail, line->detail);
                break;
        case SSHD_SAID_WRONG_SOURCE:
                node->wrong_source = true;
                history_set(history, &node->source, line->detail);
                break;
        case SSHD_SAID_ACCOUNT_NOTE:
                history_set(history, &node->pam_detail, line->detail);
                break;
        case SSHD_SAID_TOO_MANY:
                node->too_many = true;
                break;
        default:
                break;
        }
}

static void add_sshd(struct history *history, const struct log_event *event) {
        const struct sshd_line *line = &event->line;
        bool begins = line->said != SSHD_SAID_SESSION_OPENED && line->said != SSHD_SAID_SESSION_CLOSED &&
                      line->said != SSHD_SAID_ENDED && line->said != SSHD_SAID_LEFT && line->said != SSHD_SAID_TIMEOUT;
        struct node *node;

        if (line->said == SSHD_SAID_DROPPED) {
                add_drop(history, event);
                return;
        }
        if (event->pid == 0)
                return;
        /* Nothing is known of what began before the journal does, or is no login at all. The helper's event may follow. */
        if (!begins && !find_connection(history, event->pid) && line->said != SSHD_SAID_SESSION_OPENED &&
            line->said != SSHD_SAID_LEFT && (line->said != SSHD_SAID_ENDED || !line->user[0]))
                return;
        node = connection_of(history, event, begins);
        if (!node)
                return;
        node->of_sshd = true;
        node->begun |= begins || line->said == SSHD_SAID_ENDED;
        node->certain |= event->certain;
        /* Other lines of the time before the login say nothing about how that ended. */
        node->before_login |= line->before_login && line->said == SSHD_SAID_ENDED;
        take_line(history, node, line);
        switch (line->said) {
        case SSHD_SAID_ACCEPTED:
                add_accepted(history, node, event);
                break;
        case SSHD_SAID_ACCOUNT_REFUSED:
                node->account_refused = true;
                add_ended(history, node);
                break;
        case SSHD_SAID_TIMEOUT:
                node->timeout = true;
                add_ended(history, node);
                break;
        case SSHD_SAID_ENDED:
                history_set(history, &node->end_detail, line->detail);
                add_ended(history, node);
                break;
        case SSHD_SAID_LEFT:
                node->was_in = true;
                /* The session closes after it, where PAM has one. */
                if (node->story.opened_us == 0)
                        add_ended(history, node);
                break;
        case SSHD_SAID_SESSION_OPENED:
                node->was_in = true;
                node->story.opened_us = event->at_us;
                if (node->n_offers > 0)
                        tell_open(history, node);
                break;
        case SSHD_SAID_SESSION_CLOSED:
                node->was_in = true;
                node->story.closed_us = event->at_us;
                add_ended(history, node);
                break;
        default:
                take_attempt(history, node, event);
                break;
        }
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

static void forget_failure(struct history *history) {
        struct failure *failure = STAILQ_FIRST(&history->failures);

        STAILQ_REMOVE_HEAD(&history->failures, next);
        history->n_failures--;
        free(failure->user);
        free(failure->message);
        free(failure);
}

/* Where the helper cannot see which connection asks, its event names none. */
static void add_failure(struct history *history, const struct log_event *event) {
        struct node *node = event->pid > 0 ? connection_of(history, event, true) : NULL;
        struct failure *failure;

        if (node)
                history_set(history, &node->helper_failure, event->message);
        if (event->pid > 0)
                return;
        if (history->n_failures == FAILURES_MAX)
                forget_failure(history);
        failure = calloc(1, sizeof(*failure));
        if (!failure) {
                history->out_of_memory = true;
                return;
        }
        failure->boot = event->boot;
        failure->at_us = event->at_us;
        history_set(history, &failure->user, event->user);
        history_set(history, &failure->message, event->message);
        STAILQ_INSERT_TAIL(&history->failures, failure, next);
        history->n_failures++;
}

int history_foresee(struct history *history, const struct log_event *event) {
        return evidence_add(&history->evidence, event) ? 0 : -ENOMEM;
}

int history_add(struct history *history, const struct log_event *event) {
        history->out_of_memory = false;
        if (!sd_id128_equal(history->boot, event->boot)) {
                history->rebooted = !sd_id128_is_null(history->boot);
                end_boot(history);
                history->boot = event->boot;
                /* The clock may have been set back in between. */
                history->now_us = history->swept_us = event->sent_us;
        }
        (void)history_tick(history, event->sent_us);
        /* Events that came after the first pass. */
        if (history_foresee(history, event) < 0)
                return -ENOMEM;
        if (event->n_lost > 0)
                add_loss(history, event);
        switch (event->kind) {
        case LOG_EVENT_RECEIVED:
                add_received(history, event);
                break;
        case LOG_EVENT_REFUSED:
                add_refused(history, event);
                break;
        case LOG_EVENT_CLAIMED:
        case LOG_EVENT_NO_SLOT:
                add_offer(history, event);
                break;
        case LOG_EVENT_EXPIRED:
        case LOG_EVENT_REVOKED:
                add_end_of_push(history, event);
                break;
        case LOG_EVENT_HELPER_FAILURE:
                add_failure(history, event);
                break;
        case LOG_EVENT_SSHD:
                add_sshd(history, event);
                break;
        case LOG_EVENT_LOST:
        case LOG_EVENT_DROPPED:
                break;
        }
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
                forget_failure(history);
        evidence_clear(&history->evidence);
        free(history);
}
