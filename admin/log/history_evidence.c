/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history_evidence.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_S INT64_C(1000000)
#define LIFE_MAX_US (86400 * US_PER_S) /* MaxTtl's own limit */
#define SLACK_US US_PER_S              /* between the clocks of those who write */
#define LATE_US (2 * US_PER_S)         /* later than that, stories may have been printed without the event */

static struct slot_taken **slot_bucket(struct evidence *evidence, uint64_t pid) {
        return &evidence->slot_buckets[pid % EVIDENCE_BUCKETS];
}

static struct key_end **end_bucket(struct evidence *evidence, int64_t at_us) {
        return &evidence->end_buckets[(uint64_t)at_us % EVIDENCE_BUCKETS];
}

/* --- ends of keys ----------------------------------------------------------------------------------------------- */

static void forget_oldest(struct evidence *evidence) {
        struct key_end *end = evidence->oldest, **at_end = end_bucket(evidence, end->at_us);

        for (size_t i = 0; i < end->n; i++) {
                struct slot_taken **at = slot_bucket(evidence, end->slots[i].pid);

                while (*at != &end->slots[i])
                        at = &(*at)->next;
                *at = end->slots[i].next;
        }
        while (*at_end != end)
                at_end = &(*at_end)->bucket_next;
        *at_end = end->bucket_next;
        evidence->oldest = end->next;
        if (!evidence->oldest)
                evidence->newest = NULL;
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
        end->from_us = event->stored_us > 0 ? event->stored_us : event->at_us - LIFE_MAX_US;
        end->final = event->slots_final && event->n_taken == event->n_pids;
        if (evidence->newest)
                evidence->newest->next = end;
        else
                evidence->oldest = end;
        evidence->newest = end;
        evidence->n_ends++;
        end->bucket_next = *end_bucket(evidence, end->at_us);
        *end_bucket(evidence, end->at_us) = end;
        for (; end->n < event->n_pids; end->n++) {
                struct slot_taken **bucket = slot_bucket(evidence, event->pids[end->n]);

                end->slots[end->n] = (struct slot_taken){.next = *bucket, .end = end, .pid = event->pids[end->n]};
                *bucket = &end->slots[end->n];
        }
        if (evidence->n_ends > EVIDENCE_ENDS_MAX)
                forget_oldest(evidence);
        return end->user && end->fingerprint && end->principal && end->request_id;
}

static bool same(const char *known, const char *text) {
        return known && strcmp(known, text) == 0;
}

struct key_end *evidence_of_end(struct evidence *evidence, const struct log_event *event) {
        for (struct key_end *at = *end_bucket(evidence, event->at_us); at; at = at->bucket_next)
                if (at->at_us == event->at_us && sd_id128_equal(at->boot, event->boot) &&
                    same(at->fingerprint, event->fingerprint) && same(at->user, event->user) &&
                    same(at->principal, event->principal) && same(at->request_id, event->request_id))
                        return at;
        return NULL;
}

struct slot_taken *evidence_slot(struct evidence *evidence, sd_id128_t boot, uint64_t pid, int64_t first_us,
                                 int64_t last_us, struct slot_taken *after) {
        struct slot_taken *at = after ? after->next : *slot_bucket(evidence, pid);

        while (at && (at->pid != pid || !sd_id128_equal(at->end->boot, boot) || first_us > at->end->at_us + SLACK_US ||
                      last_us + SLACK_US < at->end->from_us))
                at = at->next;
        return at;
}

size_t evidence_not_taken(const struct evidence *evidence, sd_id128_t boot, const char *user, const char *fingerprint,
                          uint64_t pid, int64_t us) {
        size_t n = 0;

        for (const struct key_end *at = evidence->oldest; at; at = at->next) {
                bool taken = !at->final;

                if (at->at_us < us || at->from_us > us || !sd_id128_equal(at->boot, boot) ||
                    !same(at->fingerprint, fingerprint) || !same(at->user, user))
                        continue;
                for (size_t i = 0; i < at->n; i++)
                        taken |= at->slots[i].pid == pid;
                n += !taken;
        }
        return n;
}

/* --- losses ----------------------------------------------------------------------------------------------------- */

static void add_gap(struct evidence *evidence, const struct log_event *event, int64_t from_us, int64_t until_us) {
        struct gap *gap = &evidence->gaps[evidence->n_gaps];

        for (size_t i = 0; i < evidence->n_gaps; i++)
                if (evidence->gaps[i].from_us == from_us && evidence->gaps[i].until_us == until_us &&
                    sd_id128_equal(evidence->gaps[i].boot, event->boot))
                        return; /* from the first pass */
        if (evidence->n_gaps < EVIDENCE_GAPS_MAX) {
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

/* --- both ------------------------------------------------------------------------------------------------------- */

bool evidence_add(struct evidence *evidence, const struct log_event *event) {
        if (event->n_lost > 0)
                add_gap(evidence, event, event->lost_since_us, event->at_us);
        if (event->sent_us > event->at_us + LATE_US)
                add_gap(evidence, event, event->at_us, event->sent_us);
        if ((event->kind == LOG_EVENT_EXPIRED || event->kind == LOG_EVENT_REVOKED) && !evidence_of_end(evidence, event))
                return add_end(evidence, event);
        return true;
}

void evidence_clear(struct evidence *evidence) {
        while (evidence->oldest)
                forget_oldest(evidence);
        evidence->n_gaps = 0;
}
