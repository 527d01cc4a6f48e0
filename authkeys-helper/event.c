/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/events.h"

/* Each field in the protocol's binary form, name, newline, 64-bit little-endian length, value: no value can end it early. */
static void field(struct writer *to, const char *name, const char *value) {
        size_t n = strlen(value);

        if (n == 0)
                return;
        writer_put(to, name, strlen(name));
        writer_u8(to, '\n');
        for (unsigned shift = 0; shift < 64; shift += 8)
                writer_u8(to, (uint8_t)((uint64_t)n >> shift));
        writer_put(to, value, n);
        writer_u8(to, '\n');
}

static void send_event(struct writer *to, const char *message_id, const char *priority, const char *message) {
        static const struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
        int fd;

        field(to, "MESSAGE_ID", message_id);
        field(to, "MESSAGE", message);
        field(to, "PRIORITY", priority);
        field(to, "SYSLOG_IDENTIFIER", "exc-authorized-keys");
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || to->full ||
            sendto(fd, to->data, to->used, MSG_NOSIGNAL, (const struct sockaddr *)&journal, sizeof(journal)) < 0)
                (void)dprintf(STDERR_FILENO, "exc-authorized-keys: %s\n", message);
        if (fd >= 0)
                (void)close(fd);
}

void event_grant(const char *message_id, const struct grant *grant, const struct store_place *place,
                 const struct connection_id *who) {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7], pid[24], message[1024];
        uint8_t raw[8192];
        struct writer to = {.data = raw, .size = sizeof(raw)};
        bool claimed = strcmp(message_id, EVENT_CLAIMED) == 0;

        store_fingerprint_text(place->fingerprint, fingerprint);
        (void)snprintf(pid, sizeof(pid), "%" PRIu64, who->pid);
        (void)snprintf(message, sizeof(message),
                       claimed ? "Key %s of %s given to the SSH connection of sshd[%s]"
                               : "Key %s of %s refused to the SSH connection of sshd[%s]: "
                                 "its connections are used up",
                       fingerprint, grant->user, pid);
        field(&to, FIELD_USER, grant->user);
        field(&to, FIELD_FINGERPRINT, fingerprint);
        field(&to, FIELD_SSHD_PID, pid);
        field(&to, FIELD_PRINCIPAL, grant->principal);
        field(&to, FIELD_REQUEST_ID, grant->request_id);
        send_event(&to, message_id, claimed ? "6" : "5", message);
}

void event_failure(const char *user, const char *format, ...) {
        char message[1024];
        uint8_t raw[4096];
        struct writer to = {.data = raw, .size = sizeof(raw)};
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        field(&to, FIELD_USER, user);
        send_event(&to, EVENT_FAILURE, "4", message);
}
