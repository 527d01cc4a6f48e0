/* SPDX-License-Identifier: Apache-2.0 */
#include "common/journal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void journal_begin(struct journal_entry *entry) {
        entry->to = (struct writer){.data = entry->raw, .size = sizeof(entry->raw)};
}

/* In the protocol's binary form, name, newline, 64-bit little-endian length, value: so no value can end its field early. */
void journal_add(struct journal_entry *entry, const char *name, const char *value) {
        size_t n = strlen(value);

        if (n == 0)
                return;
        writer_put(&entry->to, name, strlen(name));
        writer_u8(&entry->to, '\n');
        for (unsigned shift = 0; shift < 64; shift += 8)
                writer_u8(&entry->to, (uint8_t)((uint64_t)n >> shift));
        writer_put(&entry->to, value, n);
        writer_u8(&entry->to, '\n');
}

bool journal_send(const struct journal_entry *entry) {
        static const struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
        bool sent;
        int fd;

        if (entry->to.full)
                return false;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return false;
        sent = sendto(fd, entry->raw, entry->to.used, MSG_NOSIGNAL, (const struct sockaddr *)&journal,
                      sizeof(journal)) >= 0;
        (void)close(fd);
        return sent;
}
