/* SPDX-License-Identifier: Apache-2.0 */
/* Pushed keys, as far as they matter to what comes after; and what the ends of keys and losses prove. */
#include <stdlib.h>

#include "admin/log/history_internal.h"

#define STORED_NEARBY_US (2 * US_PER_S) /* between the event of the push and EXC_STORED */
#define SLACK_US US_PER_S               /* between the clocks of those who write */
#define LATE_US (2 * US_PER_S)          /* later than that, stories may have been printed without the event */

/* --- pushes --------------------------------------------------------------------------------------------------------- */

/* In the order of time, in which they nearly come. */
static void enter(struct history *history, struct pushed *push) {
        struct pushed *older;

        TAILQ_FOREACH_REVERSE(older, &history->pushes, pushes, by_time)
                if (older->at_us <= push->at_us)
                        break;
        if (older)
                TAILQ_INSERT_AFTER(&history->pushes, older, push, by_time);
        else
                TAILQ_INSERT_HEAD(&history->pushes, push, by_time);
}

/* Those whose key is gone go first. The agent holds half as many live ones as fit here. */
static void forget_push(struct history *history) {
        struct pushed *at;

        TAILQ_FOREACH(at, &history->pushes, by_time)
                if (at->end != PUSH_LIVES)
                        break;
        pushed_free(history, at ? at : TAILQ_FIRST(&history->pushes));
}

struct pushed *pushed_new(struct history *history, const struct log_event *event, bool unseen) {
        struct pushed *push;

        if (history->n_pushed == HISTORY_PUSHES_MAX)
                forget_push(history);
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
        TAILQ_REMOVE(&history->pushes, push, by_time);
        push->at_us = at_us;
        push->unseen = false;
        history->n_unseen--;
        enter(history, push);
}

void pushed_free(struct history *history, struct pushed *push) {
        TAILQ_REMOVE(&history->pushes, push, by_time);
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

static bool is_request_of(const struct pushed *push, const struct log_event *event) {
        return same_text(push->user, event->user) && same_text(push->principal, event->principal) &&
               same_text(push->request_id, event->request_id);
}

static bool is_push_of(const struct pushed *push, const struct log_event *event) {
        return same_text(push->fingerprint, event->fingerprint) && is_request_of(push, event);
}

bool pushed_is_known(const struct history *history, const struct log_event *event) {
        const struct pushed *at;

        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time) {
                if (at->at_us < event->at_us)
                        return false;
                if (at->at_us == event->at_us && !at->unseen && is_push_of(at, event))
                        return true;
        }
        return false;
}

static bool is_key_of(const struct pushed *push, const char *fingerprint, const char *user) {
        return same_text(push->fingerprint, fingerprint) && same_text(push->user, user);
}

/*
 * The helper gives out the newest, and the agent removes the oldest first. The event of a use at the last moment may come
 * after that of the end.
 */
struct pushed *pushed_claimed(struct history *history, const struct log_event *event) {
        struct pushed *at, *ended = NULL;

        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time) {
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
        struct pushed *at, *found = NULL;

        TAILQ_FOREACH(at, &history->pushes, by_time) {
                if (at->end != PUSH_LIVES || !is_push_of(at, event))
                        continue;
                if (event->stored_us == 0 || llabs(at->at_us - event->stored_us) <= STORED_NEARBY_US)
                        return at;
                if (!found && at->unseen)
                        found = at;
        }
        return found;
}

struct pushed *pushed_unseen(struct history *history, const struct log_event *event) {
        struct pushed *at;

        if (history->n_unseen == 0)
                return NULL;
        TAILQ_FOREACH(at, &history->pushes, by_time)
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

struct pushed *pushed_key(struct history *history, const char *fingerprint, const char *user, int64_t until_us) {
        struct pushed *at, *others = NULL;

        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time) {
                if (at->at_us > until_us || !same_text(at->fingerprint, fingerprint))
                        continue;
                if (same_text(at->user, user))
                        return at;
                if (!others)
                        others = at;
        }
        return others;
}

bool pushed_by_one_request(const struct history *history, const struct pushed *push, int64_t us) {
        const struct pushed *at;

        TAILQ_FOREACH(at, &history->pushes, by_time)
                if (at->at_us <= us && pushed_lived_at(at, us) && is_key_of(at, push->fingerprint, push->user) &&
                    (!same_text(at->principal, push->principal) || !same_text(at->request_id, push->request_id)))
                        return false;
        return true;
}

struct pushed *pushed_before(struct history *history, const struct story *story) {
        struct pushed *at;

        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time)
                if (at->at_us <= story->last_us && at->at_us >= story->at_us - NEARBY_US &&
                    same_text(at->user, story->user))
                        return at;
        return NULL;
}

bool pushed_lived_at(const struct pushed *push, int64_t us) {
        return push->end == PUSH_LIVES || push->ended_us > us;
}

bool pushed_shortly_before(const struct history *history, const struct story *story, const char *user) {
        const struct pushed *at;

        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time) {
                if (at->at_us < story->at_us - NEARBY_US)
                        return false;
                if (at->at_us <= story->last_us && (!user || same_text(at->user, user)))
                        return true;
        }
        return false;
}

/* --- ends of keys --------------------------------------------------------------------------------------------------- */

#define SLOT_BUCKET(evidence, pid) (&(evidence)->slot_buckets[(pid) % BUCKETS])
#define END_BUCKET(evidence, us) (&(evidence)->end_buckets[(uint64_t)(us) % BUCKETS])

static void forget_end(struct evidence *evidence) {
        struct key_end *end = TAILQ_FIRST(&evidence->ends);

        for (size_t i = 0; i < end->n; i++)
                LIST_REMOVE(&end->slots[i], in_bucket);
        LIST_REMOVE(end, in_bucket);
        TAILQ_REMOVE(&evidence->ends, end, by_time);
        evidence->n_ends--;
        free(end->user);
        free(end->fingerprint);
        free(end->principal);
        free(end->request_id);
        free(end);
}

static bool add_end(struct evidence *evidence, const struct log_event *event) {
        struct key_end *end = calloc(1, sizeof(*end) + event->n_pids * sizeof(end->slots[0]));

        if (!end)
                return false;
        end->user = strdup(event->user);
        end->fingerprint = strdup(event->fingerprint);
        end->principal = strdup(event->principal);
        end->request_id = strdup(event->request_id);
        end->boot = event->boot;
        end->at_us = event->at_us;
        end->stored_us = event->stored_us;
        end->from_us = event->stored_us > 0 ? event->stored_us : event->at_us - LOG_LIFE_MAX_US;
        end->final = event->slots_final && event->n_taken == event->n_pids;
        TAILQ_INSERT_TAIL(&evidence->ends, end, by_time);
        evidence->n_ends++;
        LIST_INSERT_HEAD(END_BUCKET(evidence, end->at_us), end, in_bucket);
        for (; end->n < event->n_pids; end->n++) {
                end->slots[end->n] = (struct slot_taken){.end = end, .pid = event->pids[end->n]};
                LIST_INSERT_HEAD(SLOT_BUCKET(evidence, event->pids[end->n]), &end->slots[end->n], in_bucket);
        }
        if (evidence->n_ends > HISTORY_ENDS_MAX)
                forget_end(evidence);
        return end->user && end->fingerprint && end->principal && end->request_id;
}

struct key_end *evidence_of_end(struct evidence *evidence, const struct log_event *event) {
        struct key_end *at;

        LIST_FOREACH(at, END_BUCKET(evidence, event->at_us), in_bucket)
                if (at->at_us == event->at_us && sd_id128_equal(at->boot, event->boot) &&
                    same_text(at->fingerprint, event->fingerprint) && same_text(at->user, event->user) &&
                    same_text(at->principal, event->principal) && same_text(at->request_id, event->request_id))
                        return at;
        return NULL;
}

bool evidence_use_known(const struct history *history, const struct key_end *end, uint64_t pid) {
        const struct pushed *at;

        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time)
                if (same_text(at->user, end->user) && same_text(at->principal, end->principal) &&
                    same_text(at->request_id, end->request_id) && pushed_used_by(at, pid))
                        return true;
        return false;
}

/* Whether a connection with the slot's pid may be this one: pids are used again. */
static bool is_slot_of(const struct node *node, const struct slot_taken *slot) {
        const struct story *story = &node->story;

        return slot->pid == story->pid && sd_id128_equal(slot->end->boot, story->boot) &&
               story->at_us <= slot->end->at_us + SLACK_US && story->last_us + SLACK_US >= slot->end->from_us;
}

/* sshd cuts user names after 100 bytes. Under another name of the same user, the key decides. */
static bool is_end_of(const struct node *node, const struct key_end *end) {
        const char *user = text_of(node->story.user);

        return *user == '\0' || same_text(user, end->user) || same_text(node->accepted_fingerprint, end->fingerprint) ||
               (strlen(user) == 100 && strncmp(user, text_of(end->user), 100) == 0);
}

void evidence_infer_offers(struct history *history, struct node *node) {
        size_t n_known = node->n_offers;
        struct slot_taken *slot;

        LIST_FOREACH(slot, SLOT_BUCKET(&history->evidence, node->story.pid), in_bucket) {
                const struct key_end *end = slot->end;
                struct offer *offer = NULL;
                bool of_push = false;

                if (!is_slot_of(node, slot) || !is_end_of(node, end))
                        continue;
                slot->reported = true;
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
                offer->event_lost = !of_push && end->from_us >= history->view.from_us &&
                                    !evidence_use_known(history, end, slot->pid);
                offer->pushed_us = end->stored_us;
                offer->ended_us = end->at_us;
        }
}

/* Whether the end of that push proves that the connection took no slot of it. */
static bool is_not_taken(const struct evidence *evidence, const struct story *story, const struct pushed *push) {
        const struct key_end *at;

        TAILQ_FOREACH(at, &evidence->ends, by_time) {
                bool taken = !at->final;

                if (at->at_us < story->accepted_us || at->from_us > story->accepted_us ||
                    !sd_id128_equal(at->boot, story->boot) || !is_key_of(push, at->fingerprint, at->user) ||
                    !same_text(at->principal, push->principal) || !same_text(at->request_id, push->request_id))
                        continue;
                for (size_t i = 0; i < at->n; i++)
                        taken |= at->slots[i].pid == story->pid;
                if (!taken)
                        return true;
        }
        return false;
}

bool evidence_not_taken(const struct history *history, const struct story *story) {
        const struct pushed *at;
        size_t n = 0;

        TAILQ_FOREACH(at, &history->pushes, by_time) {
                if (at->at_us > story->accepted_us || !pushed_lived_at(at, story->accepted_us) ||
                    !is_key_of(at, story->fingerprint, story->user))
                        continue;
                if (!is_not_taken(&history->evidence, story, at))
                        return false;
                n++;
        }
        return n > 0;
}

/* --- losses --------------------------------------------------------------------------------------------------------- */

static void add_gap(struct evidence *evidence, const struct log_event *event, int64_t from_us, int64_t until_us) {
        struct gap *gap = &evidence->gaps[evidence->n_gaps];

        for (size_t i = 0; i < evidence->n_gaps; i++)
                if (evidence->gaps[i].from_us == from_us && evidence->gaps[i].until_us == until_us &&
                    sd_id128_equal(evidence->gaps[i].boot, event->boot))
                        return; /* from the first pass */
        if (evidence->n_gaps < HISTORY_GAPS_MAX) {
                *gap = (struct gap){event->boot, from_us, until_us};
                evidence->n_gaps++;
                return;
        }
        gap--;
        if (from_us < gap->from_us)
                gap->from_us = from_us;
        if (until_us > gap->until_us)
                gap->until_us = until_us;
        gap->boot = event->boot;
}

bool evidence_gap(const struct evidence *evidence, sd_id128_t boot, int64_t from_us, int64_t until_us) {
        for (size_t i = 0; i < evidence->n_gaps; i++) {
                const struct gap *gap = &evidence->gaps[i];

                if (sd_id128_equal(gap->boot, boot) && gap->from_us <= until_us && gap->until_us >= from_us)
                        return true;
        }
        return false;
}

bool evidence_add(struct evidence *evidence, const struct log_event *event) {
        if (event->n_lost > 0)
                add_gap(evidence, event, event->lost_since_us, event->at_us);
        if (event->sent_us > event->at_us + LATE_US)
                add_gap(evidence, event, event->at_us, event->sent_us);
        if ((event->kind == LOG_EVENT_EXPIRED || event->kind == LOG_EVENT_REVOKED) && !evidence_of_end(evidence, event))
                return add_end(evidence, event);
        return true;
}

void evidence_init(struct evidence *evidence) {
        TAILQ_INIT(&evidence->ends);
}

void evidence_clear(struct evidence *evidence) {
        while (!TAILQ_EMPTY(&evidence->ends))
                forget_end(evidence);
        evidence->n_gaps = 0;
}
