/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/debug.h"
#include "common/events.h"
#include "common/journal.h"

static void finish(struct journal_entry *entry, const char *message_id, const char *priority, const char *message) {
        journal_add(entry, "MESSAGE_ID", message_id);
        journal_add(entry, "MESSAGE", message);
        journal_add(entry, "PRIORITY", priority);
        journal_add(entry, "SYSLOG_IDENTIFIER", "exc-authorized-keys");
}

static void print(const char *message) {
        (void)dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, message);
}

static bool send_event(const struct journal_entry *entry, const char *message) {
        bool sent = journal_send(entry, EVENT_WAIT_MS) == 0;

        if (sent)
                debug_line("event: sent to the journal: %s", message);
        return sent;
}

void event_grant(const char *message_id, const struct grant *grant, const struct store_place *place,
                 const struct connection_id *who) {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7], pid[24], message[1024];
        struct journal_entry entry;
        bool claimed = strcmp(message_id, EVENT_CLAIMED) == 0;

        journal_begin(&entry);
        store_fingerprint_text(place->fingerprint, fingerprint);
        (void)snprintf(pid, sizeof(pid), "%" PRIu64, who->pid);
        (void)snprintf(message, sizeof(message),
                       claimed ? "Key %s of %s given to the SSH connection of sshd[%s]"
                               : "Key %s of %s refused to the SSH connection of sshd[%s]: "
                                 "its connections are used up",
                       fingerprint, grant->user, pid);
        journal_add(&entry, FIELD_USER, grant->user);
        journal_add(&entry, FIELD_FINGERPRINT, fingerprint);
        journal_add(&entry, FIELD_SSHD_PID, pid);
        journal_add(&entry, FIELD_PRINCIPAL, grant->principal);
        journal_add(&entry, FIELD_REQUEST_ID, grant->request_id);
        finish(&entry, message_id, claimed ? "6" : "5", message);
        if (!send_event(&entry, message))
                print(message);
}

void event_failure_make(struct journal_entry *ret, const char *user, const struct connection_id *who,
                        const char *message) {
        char pid[24];

        journal_begin(ret);
        if (user)
                journal_add(ret, FIELD_USER, user);
        if (who) {
                (void)snprintf(pid, sizeof(pid), "%" PRIu64, who->pid);
                journal_add(ret, FIELD_SSHD_PID, pid);
        }
        finish(ret, EVENT_FAILURE, "4", message);
}

void event_failure_send(const struct journal_entry *entry) {
        (void)journal_send(entry, EVENT_WAIT_MS);
}

void event_failure(const char *user, const struct connection_id *who, const char *format, ...) {
        struct journal_entry entry;
        char message[1024];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        event_failure_make(&entry, user, who, message);
        print(message);
        (void)send_event(&entry, message);
}
