/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/log/history_pushes.h"

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

struct node **node_bucket(struct history *history, uint64_t pid) {
        return &history->buckets[pid % BUCKETS];
}

void node_leave_bucket(struct history *history, struct node *node) {
        struct node **at;

        if (!node->in_bucket)
                return;
        for (at = node_bucket(history, node->story.pid); *at != node; at = &(*at)->bucket_next)
                ;
        *at = node->bucket_next;
        node->in_bucket = false;
}

void queue_add(struct queue *queue, struct node *node, int64_t now_us) {
        if (node->queued)
                return;
        node->queued = true;
        node->queued_us = now_us;
        node->queue_next = NULL;
        if (queue->last)
                queue->last->queue_next = node;
        else
                queue->first = node;
        queue->last = node;
}

void queue_remove(struct queue *queue, struct node *node) {
        struct node *before = NULL;

        for (struct node *at = queue->first; at; before = at, at = at->queue_next) {
                if (at != node)
                        continue;
                if (before)
                        before->queue_next = at->queue_next;
                else
                        queue->first = at->queue_next;
                if (queue->last == at)
                        queue->last = before;
                node->queued = false;
                return;
        }
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
        node_leave_bucket(history, node);
        if (node->queued) {
                queue_remove(&history->over, node);
                queue_remove(&history->opening, node);
        }
        if (node->previous)
                node->previous->next = node->next;
        else
                history->first = node->next;
        if (node->next)
                node->next->previous = node->previous;
        else
                history->last = node->previous;
        history->n--;
        if (node->push)
                node->push->unused = NULL;
        for (size_t i = 0; i < node->n_offers; i++) {
                free(node->offers[i].user);
                free(node->offers[i].fingerprint);
                free(node->offers[i].principal);
                free(node->offers[i].request_id);
        }
        free(node->failed_fingerprint);
        free(node->accepted_fingerprint);
        free(node->detail);
        free(node->end_detail);
        free(node->helper_failure);
        story_clear(&node->story);
        free(node);
}

struct offer *node_add_offer(struct history *history, struct node *node, const char *user, const char *fingerprint,
                             const char *principal, const char *request_id) {
        struct offer *offer;

        if (node->n_offers == OFFERS_MAX)
                return NULL;
        offer = &node->offers[node->n_offers++];
        history_set(history, &offer->user, user);
        history_set(history, &offer->fingerprint, fingerprint);
        history_set(history, &offer->principal, principal);
        history_set(history, &offer->request_id, request_id);
        return offer;
}

/* sshd cuts user names after 100 bytes. Under another name of the same user, the key decides. */
static bool is_of(const struct node *node, const struct key_end *end) {
        const char *user = text_of(node->story.user);

        return *user == '\0' || same_text(user, end->user) || same_text(node->accepted_fingerprint, end->fingerprint) ||
               (strlen(user) == 100 && strncmp(user, text_of(end->user), 100) == 0);
}

void node_infer_offers(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct slot_taken *slot = NULL;
        size_t n_known = node->n_offers;

        while ((slot = evidence_slot(&history->evidence, story->boot, story->pid, story->at_us, story->last_us,
                                     slot))) {
                const struct key_end *end = slot->end;
                struct offer *offer = NULL;
                bool of_push = false;

                if (!is_of(node, end))
                        continue;
                slot->told = true;
                for (size_t i = 0; i < node->n_offers; i++) {
                        of_push |= i < n_known && same_text(node->offers[i].request_id, end->request_id) &&
                                   same_text(node->offers[i].principal, end->principal);
                        if (same_text(node->offers[i].fingerprint, end->fingerprint))
                                offer = &node->offers[i];
                }
                if (offer)
                        continue;
                offer = node_add_offer(history, node, end->user, end->fingerprint, end->principal, end->request_id);
                if (!offer)
                        return;
                offer->given = offer->inferred = true;
                /* The event of another key of the push is the one about its slot. */
                offer->event_lost = !of_push && end->from_us >= history->view.from_us;
                offer->pushed_us = end->stored_us;
        }
}

struct node *node_new(struct history *history, enum story_kind kind, int64_t at_us) {
        struct node *node = calloc(1, sizeof(*node)), *after;

        if (!node) {
                history->out_of_memory = true;
                return NULL;
        }
        node->story.kind = kind;
        node->story.boot = history->boot;
        node->story.at_us = node->story.last_us = at_us;
        /* They come nearly in order. */
        for (after = history->last; after && after->story.at_us > at_us; after = after->previous)
                ;
        node->previous = after;
        node->next = after ? after->next : history->first;
        if (node->previous)
                node->previous->next = node;
        else
                history->first = node;
        if (node->next)
                node->next->previous = node;
        else
                history->last = node;
        history->n++;
        return node;
}
