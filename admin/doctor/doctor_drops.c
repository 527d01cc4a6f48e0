/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that sshd dropped before anybody could show a key: PerSourcePenalties, MaxStartups, /etc/hosts.deny. The
 * client sees no more than a connection that ends. And those that did not get a key because others held all of its slots, where
 * the client sees "Permission denied". `log` reads the same lines and events.
 */
#include "admin/doctor/doctor_drops.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "admin/doctor/doctor_journal.h"

#define US_PER_S INT64_C(1000000)

enum {
        AGE_S = 60 * 60,
        ENTRIES_MAX = 200 * 1000, /* that are read, from the last one on: a second or so */
        REASONS_MAX = 4,
};

struct drops {
        char reason[SSHD_LINE_DETAIL_MAX];
        char address[SSHD_LINE_ADDRESS_MAX]; /* of the last */
        unsigned n;
};

static void count(struct drops drops[static REASONS_MAX], const struct sshd_line *line) {
        size_t i = 0;

        while (i < REASONS_MAX && drops[i].n > 0 && strcmp(drops[i].reason, line->detail) != 0)
                i++;
        if (i == REASONS_MAX)
                return;
        if (drops[i].n++ == 0) {
                (void)snprintf(drops[i].reason, sizeof(drops[i].reason), "%s", line->detail);
                (void)snprintf(drops[i].address, sizeof(drops[i].address), "%s", line->address);
        }
}

struct learned {
        struct drops drops[REASONS_MAX];
        struct doctor_slots slots;
};

struct asked {
        struct log_senders senders;
        const char *from, *user; /* NULL: any */
};

void doctor_slots_note(struct doctor_slots *slots, const struct log_event *event, const char *user) {
        /* The helper names both. */
        if (slots->user[0] || event->kind != LOG_EVENT_NO_SLOT || !event->user[0] || !event->fingerprint[0])
                return;
        if (user && strcmp(user, event->user) != 0)
                return;
        (void)snprintf(slots->user, sizeof(slots->user), "%s", event->user);
        (void)snprintf(slots->fingerprint, sizeof(slots->fingerprint), "%s", event->fingerprint);
}

void doctor_slots_report(const struct doctor_slots *slots, struct findings *to) {
        if (slots->user[0])
                warn(to, "key-slots", NO_REMEDY,
                     "within the last hour a connection of %s was refused the key %s, because other connections "
                     "held all slots of it: for a client that opens several, push with --connections N, or 0",
                     slots->user, slots->fingerprint);
}

static int match(sd_journal *journal, const void *context) {
        const struct asked *asked = context;

        return log_event_match(journal, &asked->senders);
}

/* From the last entry back. With --from, drops of that address alone; an event about a slot has no address. */
static int read_refused(sd_journal *journal, const void *context, void *result) {
        const struct asked *asked = context;
        struct learned *learned = result;
        int64_t since_us = ((int64_t)time(NULL) - AGE_S) * US_PER_S;
        int r = sd_journal_seek_tail(journal);

        for (unsigned n = 0; r >= 0 && n < ENTRIES_MAX; n++) {
                struct log_event event;
                uint64_t us;

                r = sd_journal_previous(journal);
                if (r <= 0)
                        break;
                r = sd_journal_get_realtime_usec(journal, &us);
                if (r >= 0 && (int64_t)us < since_us)
                        break;
                if (r >= 0)
                        r = log_event_read(journal, &asked->senders, &event);
                if (r > 0 && event.kind == LOG_EVENT_SSHD && event.line.said == SSHD_SAID_DROPPED &&
                    (!asked->from || strcmp(asked->from, event.line.address) == 0))
                        count(learned->drops, &event.line);
                else if (r > 0)
                        doctor_slots_note(&learned->slots, &event, asked->user);
        }
        return r;
}

void doctor_drops(struct examination *examination) {
        struct learned learned = {.slots = {.user = ""}};
        struct asked asked = {.from = examination->from, .user = examination->user};
        const struct doctor_journal how = {match, read_refused, &asked};
        struct drops *drops = learned.drops;
        char why[DOCTOR_JOURNAL_WHY_MAX];
        int r;

        if (log_senders_find(&asked.senders) < 0)
                return; /* doctor_users() reports it */
        r = doctor_journal_read(examination, &how, &learned, sizeof(learned), why);
        learned.slots.user[sizeof(learned.slots.user) - 1] = '\0';
        learned.slots.fingerprint[sizeof(learned.slots.fingerprint) - 1] = '\0';
        for (size_t i = 0; i < REASONS_MAX; i++) {
                drops[i].reason[sizeof(drops[i].reason) - 1] = '\0';
                drops[i].address[sizeof(drops[i].address) - 1] = '\0';
        }
        for (size_t i = 0; i < REASONS_MAX && drops[i].n > 0; i++)
                warn(&examination->findings, "sshd-drops", NO_REMEDY,
                     "within the last hour sshd dropped %u connection%s before authentication, the last from %s: %s",
                     drops[i].n, drops[i].n == 1 ? "" : "s", drops[i].address, drops[i].reason);
        doctor_slots_report(&learned.slots, &examination->findings);
        if (r < 0)
                warn(&examination->findings, "sshd-drops", NO_REMEDY,
                     "it is not known whether sshd drops connections: %s", why);
        else if (drops[0].n == 0)
                pass(&examination->findings, "sshd-drops",
                     "the journal has no connection that sshd dropped within the last hour");
}
