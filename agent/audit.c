/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/audit_queue.h"
#include "common/events.h"
#include "common/journal.h"

struct event {
        struct journal_entry entry;
        char message[1024];
};

static void begin(struct event *event, const char *message_id) {
        event->message[0] = '\0';
        journal_begin(&event->entry);
        journal_add(&event->entry, "MESSAGE_ID", message_id);
}

static void add(struct event *event, const char *name, const char *value) {
        journal_add(&event->entry, name, value);
}

static void send_event(struct event *event, int level) {
        char priority[16];

        (void)snprintf(priority, sizeof(priority), "%d", level);
        add(event, "MESSAGE", event->message);
        add(event, "PRIORITY", priority);
        add(event, "SYSLOG_IDENTIFIER", AUDIT_IDENTIFIER);
        audit_queue_add(&event->entry, event->message);
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
                struct event event;

                begin(&event, EVENT_RECEIVED);
                store_fingerprint_text(push->keys[i].fingerprint, fingerprint);
                (void)snprintf(event.message, sizeof(event.message), "Key %s stored for %s, for %" PRId64 " s",
                               fingerprint, user, life_s);
                append_request(event.message, sizeof(event.message), push->principal, push->request_id);
                add(&event, FIELD_USER, user);
                add(&event, FIELD_FINGERPRINT, fingerprint);
                add_request(&event, push->principal, push->request_id);
                send_event(&event, LOG_INFO);
        }
}

void audit_launch_key(const char *fingerprint_name, const struct grant *grant, int64_t life_s) {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct event event;

        begin(&event, EVENT_RECEIVED);
        store_fingerprint_text(fingerprint_name, fingerprint);
        (void)snprintf(event.message, sizeof(event.message),
                       "Key %s stored for %s, for %" PRId64 " s after each refresh", fingerprint, grant->user, life_s);
        append_request(event.message, sizeof(event.message), grant->principal, "");
        add(&event, FIELD_USER, grant->user);
        add(&event, FIELD_FINGERPRINT, fingerprint);
        add_request(&event, grant->principal, "");
        send_event(&event, LOG_INFO);
}

void audit_refused(const char *method, const struct refused *why, const char *user, const char *principal,
                   const char *request_id) {
        struct event event;

        begin(&event, EVENT_REFUSED);
        (void)snprintf(event.message, sizeof(event.message), "%s%s%s refused, %s: %s", method, user[0] ? " for " : "",
                       user, refusal_name(why->why), why->message);
        append_request(event.message, sizeof(event.message), principal, request_id);
        add(&event, FIELD_REASON, refusal_name(why->why));
        add(&event, FIELD_USER, user);
        add_request(&event, principal, request_id);
        send_event(&event, LOG_NOTICE);
}

/*
 * The number of connections only where it is final. The helper's user can write anything to a slot: one without a valid
 * pid is counted, and adds no field.
 */
static void add_slots(struct event *event, const struct grant *grant, const struct slots *slots) {
        char connections[32] = "any";

        if (grant->connections > 0)
                (void)snprintf(connections, sizeof(connections), "%zu of %u", slots ? slots->n : 0, grant->connections);
        if (grant->connections == 0 || (slots && slots->final))
                add(event, FIELD_CONNECTIONS, connections);
        for (size_t i = 0; slots && i < slots->n; i++)
                if (slots->pids[i] > 1 && slots->pids[i] <= INT32_MAX)
                        journal_add_number(&event->entry, FIELD_SSHD_PID, slots->pids[i]);
}

enum audit_end audit_end_of(const struct grant *grant, const struct instant *now) {
        return lifetime_clock_set(&grant->life, now) ? AUDIT_CLOCK_SET : AUDIT_EXPIRED;
}

void audit_removed(enum audit_end end, const struct grant *grant, const struct store_place *place,
                   const struct slots *slots) {
        static const char *const how[] = {
                [AUDIT_EXPIRED] = "expired",
                [AUDIT_CLOCK_SET] = "expired early: the clock was set, or the machine was restored from a snapshot",
                [AUDIT_REVOKED] = "revoked",
                [AUDIT_WITHDRAWN] = "removed, because the metadata service no longer has it",
        };
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct event event;
        size_t used;

        begin(&event, end == AUDIT_REVOKED || end == AUDIT_WITHDRAWN ? EVENT_REVOKED : EVENT_EXPIRED);
        store_fingerprint_text(place->fingerprint, fingerprint);
        /* Who asked for the key comes before the verb: somebody else may have revoked it. */
        (void)snprintf(event.message, sizeof(event.message), "Key %s of %s", fingerprint, grant->user);
        append_request(event.message, sizeof(event.message), grant->principal, grant->request_id);
        used = strlen(event.message);
        (void)snprintf(event.message + used, sizeof(event.message) - used, ": %s", how[end]);
        if (end == AUDIT_CLOCK_SET)
                add(&event, FIELD_REASON, REASON_CLOCK_SET);
        add(&event, FIELD_USER, grant->user);
        add(&event, FIELD_FINGERPRINT, fingerprint);
        add_request(&event, grant->principal, grant->request_id);
        journal_add_number(&event.entry, FIELD_STORED, (uint64_t)grant->life.received.wall_ns / 1000);
        add_slots(&event, grant, slots);
        send_event(&event, LOG_INFO);
}

void audit_damaged(const struct store_place *place) {
        struct event event;

        begin(&event, EVENT_DAMAGED);
        (void)snprintf(event.message, sizeof(event.message),
                       "keys/%s/%s/%s: not a grant; removed, other keys are not affected", place->user,
                       place->fingerprint, place->id);
        send_event(&event, LOG_WARNING);
}

void audit_note(int level, const char *format, ...) {
        struct event event;
        va_list arguments;

        begin(&event, level <= LOG_WARNING ? EVENT_FAILURE : "");
        va_start(arguments, format);
        (void)vsnprintf(event.message, sizeof(event.message), format, arguments);
        va_end(arguments);
        send_event(&event, level);
}
