/* SPDX-License-Identifier: Apache-2.0 */
/* What each event adds to the stories. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/log/history_internal.h"
#include "cli/output.h"
#include "common/events.h"
#include "wire/refusal.h"

#define BUCKET(history, pid) (&(history)->buckets[(pid) % BUCKETS])

static struct node *find_connection(struct history *history, uint64_t pid) {
        struct node *node;

        LIST_FOREACH(node, BUCKET(history, pid), in_bucket)
                if (node->story.pid == pid)
                        return node;
        return NULL;
}

/* An old connection whose end nobody wrote down, and a new process with its pid. A session may be silent for days. */
static bool was_before(const struct node *node, const struct log_event *event, bool begins) {
        const struct story *story = &node->story;

        if (node->ended || node->left)
                return story->last_us + SETTLE_US < event->at_us;
        if (story->accepted_us > 0)
                return begins && story->accepted_us + SETTLE_US < event->at_us;
        return (begins || story->opened_us == 0) && story->last_us + SILENCE_US < event->at_us;
}

/* The connection that an event is about, which may be the first that is heard of it. */
static struct node *connection_of(struct history *history, const struct log_event *event, bool begins) {
        struct node *node = find_connection(history, event->pid);

        if (node && was_before(node, event, begins)) {
                node_settle(history, node);
                node = NULL;
        }
        if (!node) {
                history_make_room(history);
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
        history_make_room(history);
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

        history_make_room(history);
        node = node_new(history, STORY_CALL_REFUSED, event->at_us);
        if (!node)
                return;
        node->story.outcome = STORY_REFUSED;
        node->story.why = refusal_name(why);
        history_set(history, &node->story.user, event->user);
        history_set(history, &node->story.principal, event->principal);
        history_set(history, &node->story.request_id, event->request_id);
        take_refusal(history, &node->story, event);
        node_settle(history, node);
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
        offer->ended_us = 0;
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
                node_tell_open(history, node);
}

/* A connection that took a slot, where no story has said so: there was no line of sshd's, or its story came before this. */
static void add_holder(struct history *history, const struct log_event *event, const struct slot_taken *slot) {
        struct node *node;

        history_make_room(history);
        node = node_new(history, STORY_CONNECTION, event->at_us);
        if (!node)
                return;
        node->story.pid = slot->pid;
        node->of_end = node->begun = true;
        /* The event of the use may come after that of the end. */
        node_queue(history, &history->over, node);
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
        node_queue(history, &history->over, push->unused);
}

/* A story of its own, at the time for which something may be missing. */
static void add_loss(struct history *history, const struct log_event *event) {
        bool known = event->lost_since_us > 0;
        struct node *node;

        history_make_room(history);
        node = node_new(history, STORY_LOSS, known ? event->lost_since_us : event->at_us);
        if (!node)
                return;
        node->story.outcome = STORY_LOST;
        node->story.last_us = event->at_us;
        node->story.n_lost = event->n_lost;
        history_set(history, &node->story.unit, event->unit);
        history_say(history, &node->story, "what is shown of %s may be incomplete",
                    known ? "that time" : "the time before");
        node_settle(history, node);
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
        node_queue(history, &history->opening, node);
}

static void add_ended(struct history *history, struct node *node) {
        node->ended = true;
        if (node->queue == &history->opening)
                node_leave_queue(node);
        node_queue(history, &history->over, node);
}

/* sshd did not let the client begin, or so many. What the line is of is sshd's main process, or one that says nothing else. */
static void add_drop(struct history *history, const struct log_event *event) {
        const struct sshd_line *line = &event->line;
        char span[DURATION_MAX];
        struct node *node;

        history_make_room(history);
        node = node_new(history, STORY_DROP, event->at_us);
        if (!node)
                return;
        node->story.outcome = STORY_REFUSED;
        node->story.why = WHY_DROPPED;
        node->story.port = line->port;
        history_set(history, &node->story.address, line->address);
        node->story.n_dropped = line->n;
        node->dropping_us = line->span_s * US_PER_S;
        if (line->said == SSHD_SAID_DROPPED)
                history_say(history, &node->story, "sshd dropped the connection before authentication: %s",
                            line->detail);
        else if (line->unlogged)
                history_say(history, &node->story,
                            "sshd dropped %u more before authentication, without a line of each: %s", line->n,
                            line->detail);
        else {
                duration_text(line->span_s, span);
                history_say(history, &node->story, "sshd dropped %u before authentication, within %s: %s", line->n,
                            span, line->detail);
        }
        node_settle(history, node);
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

        if (line->said == SSHD_SAID_DROPPED || line->said == SSHD_SAID_DROPS) {
                add_drop(history, event);
                return;
        }
        if (event->pid == 0)
                return;
        /* It may be the first that is heard of it: the helper's event may follow. */
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
                node->was_in = node->left = true;
                /* The session closes after it, where PAM has one. */
                if (node->story.opened_us == 0)
                        add_ended(history, node);
                break;
        case SSHD_SAID_SESSION_OPENED:
                node->was_in = true;
                node->story.opened_us = event->at_us;
                if (node->n_offers > 0)
                        node_tell_open(history, node);
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

/* Where the helper cannot see which connection asks, its event names none. */
static void add_failure(struct history *history, const struct log_event *event) {
        struct node *node = event->pid > 0 ? connection_of(history, event, true) : NULL;
        struct failure *failure;

        if (node)
                history_set(history, &node->helper_failure, event->message);
        if (event->pid > 0)
                return;
        if (history->n_failures == FAILURES_MAX)
                history_forget_failure(history);
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

void event_take(struct history *history, const struct log_event *event) {
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
}
