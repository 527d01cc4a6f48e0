/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any lines as what the journal holds, through the parser of sshd's lines and the join: every text must end, and nothing
 * that was let go may be touched again.
 *
 * Input: lines of three bytes and a text: what it is (L a line of sshd, U one that may be somebody else's, R C N E V F D O
 * events of ours, Q what the journal dropped, T time that passes, B another boot, W the following begins), a pid, and
 * seconds since the line before. A small letter is the event foreseen, so many seconds later.
 * The text of an event is user, fingerprint, request and principal, with blanks between; then, of a key's end, pids, each a
 * byte, behind a '=' where they are all. Of a loss the pid is how much it is, and the length of the text since when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/log/history.h"

#define ASSERT(condition) ((condition) ? (void)0 : abort())
#define US_PER_S INT64_C(1000000)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static void check_text(const char *text, size_t size) {
        ASSERT(strnlen(text, size) < size);
}

static bool running(sd_id128_t boot, uint64_t pid) {
        (void)boot;
        return pid % 2 == 0;
}

static void tell(void *context, const struct story *story) {
        const char *const texts[] = {story->user,       story->fingerprint, story->principal,
                                     story->request_id, story->address,     story->message};

        (void)context;
        ASSERT(story->kind != STORY_CONNECTION || story->pid > 0);
        ASSERT((story->kind == STORY_LOSS) == (story->n_lost > 0));
        ASSERT(story->last_us > 0 && story->port <= 65535);
        ASSERT(story->outcome != STORY_ACCEPTED || story->accepted_us > 0 || story->opened_us > 0 ||
               story->closed_us > 0 || story->message);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                ASSERT(!texts[i] || strlen(texts[i]) < 4096);
}

static void check_line(const struct sshd_line *line) {
        check_text(line->user, sizeof(line->user));
        check_text(line->address, sizeof(line->address));
        check_text(line->fingerprint, sizeof(line->fingerprint));
        check_text(line->method, sizeof(line->method));
        check_text(line->detail, sizeof(line->detail));
        ASSERT(line->port <= 65535);
        ASSERT(line->port == 0 || !strchr(line->address, ' '));
        ASSERT(line->fingerprint[0] == '\0' || strlen(line->fingerprint) == 50);
}

/* Whatever a client says when it leaves. */
static void check_words(const char *words) {
        struct sshd_line line;
        char message[2048];

        (void)snprintf(message, sizeof(message), "error: Received disconnect from ::1 port 7:2: %s", words);
        ASSERT(!sshd_line_parse(message, &line));
}

static void take_fields(struct log_event *event, char *text) {
        const struct {
                char *to;
                size_t size;
        } fields[] = {
                {event->user, sizeof(event->user)},
                {event->fingerprint, sizeof(event->fingerprint)},
                {event->request_id, sizeof(event->request_id)},
                {event->principal, sizeof(event->principal)},
        };
        char *rest = text, *word;

        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && (word = strsep(&rest, " ")); i++) {
                size_t length = strnlen(word, fields[i].size - 1);

                memcpy(fields[i].to, word, length);
                fields[i].to[length] = '\0';
        }
        if (!rest)
                return;
        event->slots_final = *rest == '=';
        for (rest += event->slots_final; *rest && event->n_pids < GRANT_CONNECTIONS_MAX; rest++)
                event->pids[event->n_pids++] = (uint8_t)*rest;
        event->n_taken = (unsigned)event->n_pids;
}

static void take_loss(struct log_event *event, const char *text) {
        int64_t us = (int64_t)strlen(text) * US_PER_S;

        event->n_lost = event->pid;
        event->lost_since_us = us < event->at_us ? event->at_us - us : 0;
}

/* One that is not about the events after it. */
static struct log_event event_of(const struct log_event *now, char letter, char *text) {
        static const char kinds[] = "RDCNEVF"; /* enum log_event_kind from LOG_EVENT_RECEIVED on */
        const char *kind = strchr(kinds, letter);
        struct log_event event = *now;

        if (letter == 'O' || letter == 'Q') {
                event.kind = letter == 'O' ? LOG_EVENT_LOST : LOG_EVENT_DROPPED;
                take_loss(&event, text);
        } else if (kind && letter) {
                event.kind = (enum log_event_kind)(LOG_EVENT_RECEIVED + (kind - kinds));
                take_fields(&event, text);
        }
        return event;
}

static void take(struct history *history, struct log_event *now, char *text) {
        const char letter = text[0];
        struct log_event event;

        now->pid = (uint8_t)text[1];
        if (letter >= 'a' && letter <= 'z') {
                event = event_of(now, (char)(letter - 'a' + 'A'), text + 3);
                event.at_us += (uint8_t)text[2] * US_PER_S;
                event.sent_us = event.at_us;
                if (event.kind > 0)
                        ASSERT(history_foresee(history, &event) == 0);
                return;
        }
        now->at_us += (uint8_t)text[2] * US_PER_S;
        now->sent_us = now->at_us;
        event = event_of(now, letter, text + 3);
        event.certain = letter == 'L';
        if (letter == 'L' || letter == 'U') {
                event.kind = LOG_EVENT_SSHD;
                check_words(text + 3);
                if (!sshd_line_parse(text + 3, &event.line))
                        return;
                check_line(&event.line);
                if (event.line.pid > 0)
                        event.pid = event.line.pid;
        }
        if (event.kind > 0)
                ASSERT(history_add(history, &event) == 0);
        else if (letter == 'T')
                (void)history_tick(history, now->at_us);
        else if (letter == 'B')
                now->boot.bytes[0]++;
        else if (letter == 'W')
                history_follow(history);
}

/* Every second name is one of an account that has more. */
static const char *own_name(void *context, const char *user) {
        (void)context;
        return strlen(user) % 2 == 0 ? user : "alice";
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        const struct history_view view = {.all = n % 2 == 0, .own_name = own_name, .running = running, .tell = tell};
        struct log_event now = {.at_us = US_PER_S, .sent_us = US_PER_S};
        struct history *history;
        char *text = malloc(n + 1), *rest = text, *line;

        ASSERT(text && history_new(&view, &history) == 0);
        memcpy(text, input, n);
        text[n] = '\0';
        while ((line = strsep(&rest, "\n")))
                if (strlen(line) >= 3)
                        take(history, &now, line);
        if (n % 3 > 0)
                history_end(history);
        history_free(history);
        free(text);
        return 0;
}
