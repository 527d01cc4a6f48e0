/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/audit.h"

/* Of the code only one place sends, so naming it in each event tells nobody anything. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/events.h"
#include "wire/terminal.h"

enum { FIELDS_MAX = 12, FIELD_TEXT_MAX = 2048 };

struct event {
        char message[1024];
        char text[FIELDS_MAX][FIELD_TEXT_MAX];
        size_t n;
};

/* A field without a value is left out: an empty one would match in a query. */
static void add(struct event *event, const char *name, const char *value) {
        if (value[0] != '\0' && event->n < FIELDS_MAX)
                (void)snprintf(event->text[event->n++], FIELD_TEXT_MAX, "%s=%s", name, value);
}

/* sd_journal_sendv() takes a missing journal for a success, and nobody would ever see the event. */
static bool journal_listens(void) {
        return access("/run/systemd/journal/socket", W_OK) == 0;
}

static void send_event(struct event *event, int level) {
        struct iovec parts[FIELDS_MAX + 1];
        char priority[16], message[sizeof("MESSAGE=") + sizeof(event->message)];

        (void)snprintf(priority, sizeof(priority), "%d", level);
        add(event, "PRIORITY", priority);
        add(event, "SYSLOG_IDENTIFIER", "exc-instance-connect-agent");
        (void)snprintf(message, sizeof(message), "MESSAGE=%s", event->message);
        parts[0] = (struct iovec){message, strlen(message)};
        for (size_t i = 0; i < event->n; i++)
                parts[i + 1] = (struct iovec){event->text[i], strlen(event->text[i])};
        if (journal_listens() && sd_journal_sendv(parts, (int)event->n + 1) >= 0)
                return;
        (void)fputs("exc-instance-connect-agent: ", stderr);
        terminal_print(stderr, event->message);
        (void)fputc('\n', stderr);
}

static void add_request(struct event *event, const char *principal, const char *request_id) {
        add(event, FIELD_PRINCIPAL, principal);
        add(event, FIELD_REQUEST_ID, request_id);
}

/* ", asked by PRINCIPAL under REQUEST" */
static void append_request(char *message, size_t size, const char *principal, const char *request_id) {
        size_t used = strlen(message);

        if (principal[0] != '\0')
                used += (size_t)snprintf(message + used, size - used, ", asked by %.200s", principal);
        if (request_id[0] != '\0' && used < size)
                (void)snprintf(message + used, size - used, ", request %.200s", request_id);
}

void audit_received(const struct push *push, const char *user, int64_t life_s) {
        for (size_t i = 0; i < push->n_keys; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
                struct event event = {.n = 0};

                store_fingerprint_text(push->keys[i].fingerprint, fingerprint);
                (void)snprintf(event.message, sizeof(event.message), "Key %s stored for %s, for %" PRId64 " s",
                               fingerprint, user, life_s);
                append_request(event.message, sizeof(event.message), push->principal, push->request_id);
                add(&event, "MESSAGE_ID", EVENT_RECEIVED);
                add(&event, FIELD_USER, user);
                add(&event, FIELD_FINGERPRINT, fingerprint);
                add_request(&event, push->principal, push->request_id);
                send_event(&event, LOG_INFO);
        }
}

void audit_refused(const char *method, const struct refused *why, const char *user, const char *principal,
                   const char *request_id) {
        struct event event = {.n = 0};

        (void)snprintf(event.message, sizeof(event.message), "%s%s%s refused, %s: %s", method, user[0] ? " for " : "",
                       user, refusal_name(why->why), why->message);
        append_request(event.message, sizeof(event.message), principal, request_id);
        add(&event, "MESSAGE_ID", EVENT_REFUSED);
        add(&event, FIELD_REASON, refusal_name(why->why));
        add(&event, FIELD_USER, user);
        add_request(&event, principal, request_id);
        send_event(&event, LOG_NOTICE);
}

void audit_removed(const char *message_id, const struct grant *grant, const struct store_place *place) {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct event event = {.n = 0};

        store_fingerprint_text(place->fingerprint, fingerprint);
        (void)snprintf(event.message, sizeof(event.message), "Key %s of %s %s", fingerprint, grant->user,
                       strcmp(message_id, EVENT_REVOKED) == 0 ? "revoked" : "expired");
        append_request(event.message, sizeof(event.message), grant->principal, grant->request_id);
        add(&event, "MESSAGE_ID", message_id);
        add(&event, FIELD_USER, grant->user);
        add(&event, FIELD_FINGERPRINT, fingerprint);
        add_request(&event, grant->principal, grant->request_id);
        send_event(&event, LOG_INFO);
}

void audit_damaged(const struct store_place *place) {
        struct event event = {.n = 0};

        (void)snprintf(event.message, sizeof(event.message),
                       "keys/%s/%s/%s is no grant and was removed; other keys are not affected", place->user,
                       place->fingerprint, place->id);
        add(&event, "MESSAGE_ID", EVENT_DAMAGED);
        send_event(&event, LOG_WARNING);
}

void audit_note(int level, const char *format, ...) {
        struct event event = {.n = 0};
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(event.message, sizeof(event.message), format, arguments);
        va_end(arguments);
        if (level <= LOG_WARNING)
                add(&event, "MESSAGE_ID", EVENT_FAILURE);
        send_event(&event, level);
}
