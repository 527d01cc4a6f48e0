/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/audit_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "agent/audit_lost.h"
#include "common/clock.h"
#include "common/events.h"
#include "wire/terminal.h"

#define US_PER_S INT64_C(1000000)
#define RECONNECT_US (UINT64_C(1) * 1000000) /* while the journal's socket is full: it may have been replaced */
#define RETRY_US (UINT64_C(100) * 1000)      /* while it is missing */
#define ACCURACY_US (UINT64_C(10) * 1000)

enum {
        PRIORITY = SD_EVENT_PRIORITY_NORMAL + 20, /* after the peers */
        POLL_MS = 100,
};

struct queued {
        struct queued *next;
        uint64_t n_events; /* 1; for an EVENT_LOST, those that it reports */
        int64_t at_us;     /* of the first of them, since 1970 */
        bool report;       /* an EVENT_LOST */
        const char *message;
        size_t size;
        uint8_t raw[]; /* `size` bytes, then the message */
};

static struct {
        sd_event *event;
        void (*emptied)(void *context);
        void *context;
        sd_event_source *io, *timer;

        int send_fd; /* for events that are not queued, once there was one */
        int fd;      /* connected to the journal while events are queued, else -EBADF */
        struct queued *first, *last;
        size_t n, bytes;
        bool met; /* the journal accepted an event, or was busy */
        int64_t absent_since_us;

        struct audit_lost lost; /* not reported yet, and no report is queued */
        int state_fd;
        bool on_disk; /* state/lost exists; its events are reported, or in `lost` */
} queue = {.send_fd = -EBADF, .fd = -EBADF, .state_fd = -EBADF};

/* Under systemd, standard error is a stream to the journal, and must not block either. */
static void print_line(const char *message) {
        struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

        if (poll(&room, 1, 0) <= 0 || !(room.revents & POLLOUT))
                return;
        (void)fputs(AUDIT_IDENTIFIER ": ", stderr);
        terminal_print(stderr, message);
        (void)fputc('\n', stderr);
}

/* --- the queue ------------------------------------------------------------------------------------------------- */

static size_t bytes_of(const struct journal_entry *entry, const char *message) {
        return sizeof(struct queued) + entry->to.used + strlen(message) + 1;
}

/* False when the queue is full, or without memory. */
static bool append(const struct journal_entry *entry, const char *message, const struct queued *about) {
        size_t bytes = bytes_of(entry, message);
        struct queued *queued;

        if (queue.n == AUDIT_QUEUE_MAX || queue.bytes + bytes > AUDIT_QUEUE_BYTES_MAX)
                return false;
        queued = malloc(bytes);
        if (!queued)
                return false;
        *queued = *about;
        queued->next = NULL;
        queued->size = entry->to.used;
        queued->message = (const char *)queued->raw + queued->size;
        memcpy(queued->raw, entry->raw, queued->size);
        memcpy(queued->raw + queued->size, message, strlen(message) + 1);
        if (queue.last)
                queue.last->next = queued;
        else
                queue.first = queued;
        queue.last = queued;
        queue.n++;
        queue.bytes += bytes;
        return true;
}

static void drop_first(void) {
        struct queued *first = queue.first;

        queue.first = first->next;
        if (!queue.first)
                queue.last = NULL;
        queue.n--;
        queue.bytes -= sizeof(*first) + first->size + strlen(first->message) + 1;
        free(first);
}

static void first_was_sent(void) {
        if (queue.first->report && queue.on_disk) {
                audit_lost_remove(queue.state_fd);
                queue.on_disk = false;
        }
        drop_first();
}

/* Writes the first event to standard error. `counted`: it is lost for the journal. */
static void give_up_first(bool counted) {
        print_line(queue.first->message);
        if (counted || queue.first->report)
                audit_lost_add(&queue.lost, queue.first->n_events, queue.first->at_us);
        drop_first();
}

static void give_up_all(bool counted) {
        while (queue.first)
                give_up_first(counted);
}

/* Queues a report about lost events. `beside`: bytes of one more event that has to fit; 0: none. */
static bool append_report(size_t beside) {
        struct queued about = {.n_events = queue.lost.n, .at_us = queue.lost.since_us, .report = true};
        char since[32] = "an unknown time", message[160];
        time_t since_s = (time_t)(queue.lost.since_us / US_PER_S);
        bool one = queue.lost.n == 1;
        struct journal_entry entry;
        struct tm utc;

        if (gmtime_r(&since_s, &utc))
                (void)strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S UTC", &utc);
        (void)snprintf(message, sizeof(message),
                       "%" PRIu64 " event%s before this one %s lost, the first at %s: the journal did not accept %s",
                       queue.lost.n, one ? "" : "s", one ? "was" : "were", since, one ? "it" : "them");
        journal_begin(&entry);
        journal_add(&entry, "MESSAGE_ID", EVENT_LOST);
        journal_add_number(&entry, FIELD_LOST, queue.lost.n);
        journal_add_number(&entry, FIELD_LOST_SINCE, (uint64_t)queue.lost.since_us);
        journal_add(&entry, "MESSAGE", message);
        journal_add(&entry, "PRIORITY", "4");
        journal_add(&entry, "SYSLOG_IDENTIFIER", AUDIT_IDENTIFIER);
        if (beside > 0 &&
            (queue.n + 2 > AUDIT_QUEUE_MAX || queue.bytes + bytes_of(&entry, message) + beside > AUDIT_QUEUE_BYTES_MAX))
                return false;
        if (!append(&entry, message, &about))
                return false;
        queue.lost = (struct audit_lost){.n = 0};
        return true;
}

/* --- to the journal --------------------------------------------------------------------------------------------- */

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context);
static int on_timer(sd_event_source *source, uint64_t usec, void *context);

static void disconnect(void) {
        queue.io = sd_event_source_disable_unref(queue.io);
        if (queue.fd >= 0)
                (void)close(queue.fd);
        queue.fd = -EBADF;
}

/* Returns what journal_put() does. Connects again if the journal's socket was replaced. */
static int put_first(void) {
        for (bool again = false;; again = true) {
                int r;

                if (queue.fd < 0)
                        queue.fd = journal_connect();
                if (queue.fd < 0) {
                        r = queue.fd;
                        queue.fd = -EBADF;
                        return r;
                }
                r = journal_put(queue.fd, queue.first->raw, queue.first->size);
                if (again || (r != -ECONNREFUSED && r != -ENOTCONN))
                        return r;
                disconnect();
        }
}

/*
 * The journal's socket is full, or this process lacks something: a later attempt may succeed. Else there is no journal.
 */
static bool is_busy(int error) {
        return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Calls flush() when the journal's socket has room, or after a while. If that fails, the next event does. */
static void wait_for_journal(void) {
        int enabled = SD_EVENT_OFF;

        if (!queue.event)
                return;
        if (queue.fd >= 0 && !queue.io && sd_event_add_io(queue.event, &queue.io, queue.fd, EPOLLOUT, on_io, NULL) >= 0)
                (void)sd_event_source_set_priority(queue.io, PRIORITY);
        if (sd_event_source_get_enabled(queue.timer, &enabled) >= 0 && enabled == SD_EVENT_OFF) {
                (void)sd_event_source_set_time_relative(queue.timer, queue.fd >= 0 ? RECONNECT_US : RETRY_US);
                (void)sd_event_source_set_enabled(queue.timer, SD_EVENT_ONESHOT);
        }
}

static bool absent_for_good(void) {
        int64_t now_us = clock_us(CLOCK_MONOTONIC);

        if (queue.absent_since_us == 0)
                queue.absent_since_us = now_us;
        return !queue.met || now_us - queue.absent_since_us > AUDIT_QUEUE_ABSENT_S * US_PER_S;
}

/* Sends as many events as the journal accepts. */
static void flush(void) {
        while (queue.first || (queue.met && queue.lost.n > 0 && append_report(0))) {
                int r = put_first();

                if (r == -EMSGSIZE) {
                        give_up_first(true);
                        continue;
                }
                if (is_busy(r)) {
                        queue.met = true;
                        queue.absent_since_us = 0;
                        wait_for_journal();
                        return;
                }
                if (r < 0 && !absent_for_good()) {
                        disconnect();
                        wait_for_journal();
                        return;
                }
                if (r < 0) {
                        give_up_all(queue.met);
                        queue.met = false;
                } else {
                        queue.met = true;
                        first_was_sent();
                }
                queue.absent_since_us = 0;
        }
        disconnect();
        (void)sd_event_source_set_enabled(queue.timer, SD_EVENT_OFF);
}

static void flush_from_loop(void) {
        flush();
        if (!queue.first && queue.emptied)
                queue.emptied(queue.context);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context) {
        (void)source;
        (void)fd;
        (void)events;
        (void)context;
        flush_from_loop();
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context) {
        (void)source;
        (void)usec;
        (void)context;
        disconnect();
        flush_from_loop();
        return 0;
}

/* --- interface ------------------------------------------------------------------------------------------------- */

int audit_queue_start(sd_event *event, void (*emptied)(void *context), void *context) {
        int r;

        r = sd_event_add_time_relative(event, &queue.timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_timer, NULL);
        if (r >= 0)
                r = sd_event_source_set_enabled(queue.timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        queue.event = event;
        queue.emptied = emptied;
        queue.context = context;
        return 0;
}

int audit_queue_use_state(int state_fd) {
        struct audit_lost lost;
        int r;

        queue.state_fd = state_fd;
        r = audit_lost_read(state_fd, &lost);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                audit_lost_remove(state_fd);
                return r;
        }
        queue.on_disk = true;
        audit_lost_add(&queue.lost, lost.n, lost.since_us);
        if (append_report(0))
                flush();
        return 0;
}

static int send_now(const struct journal_entry *entry) {
        if (queue.send_fd < 0)
                queue.send_fd = journal_open();
        return queue.send_fd < 0 ? queue.send_fd : journal_send_on(queue.send_fd, entry);
}

void audit_queue_add(const struct journal_entry *entry, const char *message) {
        struct queued about = {.n_events = 1};
        struct journal_entry late;
        int r = -EAGAIN;

        if (!queue.first && queue.lost.n == 0)
                r = send_now(entry);
        if (r == 0) {
                queue.met = true;
                return;
        }
        if (!queue.met && !is_busy(r) && r != -EMSGSIZE) {
                print_line(message);
                return;
        }
        about.at_us = clock_us(CLOCK_REALTIME);
        late = *entry;
        late.to.data = late.raw;
        journal_add_number(&late, FIELD_TIME, (uint64_t)about.at_us);
        if (late.to.full) {
                print_line(message);
                audit_lost_add(&queue.lost, 1, about.at_us);
                return;
        }
        if ((queue.lost.n > 0 && queue.met && !append_report(bytes_of(&late, message))) ||
            !append(&late, message, &about)) {
                audit_lost_add(&queue.lost, 1, about.at_us);
                return;
        }
        flush();
}

bool audit_queue_empty(void) {
        return !queue.first;
}

static void write_lost(void) {
        char message[160];
        int r = queue.state_fd >= 0 ? audit_lost_write(queue.state_fd, &queue.lost) : -EBADF;

        if (r >= 0)
                return;
        (void)snprintf(message, sizeof(message), "%" PRIu64 " events are lost; state/lost cannot be written: %s",
                       queue.lost.n, strerror(-r));
        print_line(message);
}

void audit_queue_stop(void) {
        int64_t end_us = clock_us(CLOCK_MONOTONIC) + AUDIT_QUEUE_LAST_MS * INT64_C(1000);

        queue.event = NULL;
        queue.io = sd_event_source_disable_unref(queue.io);
        queue.timer = sd_event_source_disable_unref(queue.timer);
        for (flush(); queue.first && clock_us(CLOCK_MONOTONIC) < end_us; flush()) {
                struct pollfd room = {.fd = queue.fd, .events = POLLOUT};

                (void)poll(&room, queue.fd >= 0, POLL_MS);
        }
        give_up_all(true);
        if (queue.lost.n > 0)
                write_lost();
        disconnect();
        if (queue.send_fd >= 0)
                (void)close(queue.send_fd);
        queue.send_fd = -EBADF;
        queue.emptied = NULL;
        queue.lost = (struct audit_lost){.n = 0};
        queue.state_fd = -EBADF;
        queue.on_disk = queue.met = false;
        queue.absent_since_us = 0;
}
