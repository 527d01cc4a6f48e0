/* SPDX-License-Identifier: Apache-2.0 */
#include "common/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

void journal_begin(struct journal_entry *entry) {
        entry->to = (struct writer){.data = entry->raw, .size = sizeof(entry->raw)};
}

/*
 * In the protocol's binary form (name, newline, 64-bit little-endian length, value), so that no value can end its
 * field.
 */
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

void journal_add_number(struct journal_entry *entry, const char *name, uint64_t value) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, value);
        journal_add(entry, name, text);
}

static const struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};

int journal_open(void) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        return fd < 0 ? -errno : fd;
}

int journal_send_on(int fd, const struct journal_entry *entry) {
        ssize_t sent;

        if (entry->to.full)
                return -EMSGSIZE;
        do
                sent = sendto(fd, entry->raw, entry->to.used, MSG_NOSIGNAL, (const struct sockaddr *)&journal,
                              sizeof(journal));
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : 0;
}

int journal_connect(void) {
        int fd, r;

        fd = journal_open();
        if (fd < 0)
                return fd;
        if (connect(fd, (const struct sockaddr *)&journal, sizeof(journal)) < 0) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        return fd;
}

int journal_put(int fd, const uint8_t *raw, size_t n) {
        ssize_t sent;

        do
                sent = send(fd, raw, n, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : 0;
}

/*
 * Tries whenever there is room. Against three and thirty processes that fill the queue in a loop, poll(2) succeeded at
 * least as often as a send(2) that blocks: it wakes this process whenever there is room, a blocked sender only in its
 * turn.
 */
static int put_within(int fd, const struct journal_entry *entry, unsigned wait_ms) {
        int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + wait_ms;

        for (;;) {
                struct pollfd room = {.fd = fd, .events = POLLOUT};
                int r = journal_put(fd, entry->raw, entry->to.used);
                int64_t left_ms = end_ms - clock_ms(CLOCK_MONOTONIC);

                if (r != -EAGAIN || left_ms <= 0)
                        return r;
                if (poll(&room, 1, (int)left_ms) < 0 && errno != EINTR)
                        return -EAGAIN;
        }
}

int journal_send(const struct journal_entry *entry, unsigned wait_ms) {
        int fd, r;

        if (entry->to.full)
                return -EMSGSIZE;
        fd = journal_connect();
        if (fd < 0)
                return fd;
        r = put_within(fd, entry, wait_ms);
        (void)close(fd);
        return r;
}
