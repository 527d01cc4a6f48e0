/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries for the journal in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram each.
 *
 * Any process may write to that socket, and its queue is short (net.unix.max_dgram_qlen): while others keep it full, a
 * sender has to wait. The caller says for how long; sd_journal_send(3) would wait without limit, and so would every
 * login and every push.
 */
#ifndef EXC_JOURNAL_H
#define EXC_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { JOURNAL_ENTRY_MAX = 8 * 1024 }; /* bytes */

struct journal_entry {
        uint8_t raw[JOURNAL_ENTRY_MAX];
        struct writer to;
};

void journal_begin(struct journal_entry *entry);

/* Adds a field. An empty value adds none: it would match in a query. The value may have any bytes but NUL. */
void journal_add(struct journal_entry *entry, const char *name, const char *value);

/* The same with a decimal number. */
void journal_add_number(struct journal_entry *entry, const char *name, uint64_t value);

/*
 * A non-blocking descriptor on which poll(2) returns POLLOUT when the journal takes the next entry. The caller closes
 * it. Negative errno: -ENOENT or -ECONNREFUSED where no journal listens.
 */
int journal_connect(void);

/*
 * Sends the `n` bytes of an entry on such a descriptor.
 * 0; -EAGAIN: the journal's queue is full; -ECONNREFUSED, -ENOTCONN: this journal is gone, connect again;
 * -EMSGSIZE: the entry is longer than the journal takes.
 */
int journal_put(int fd, const uint8_t *raw, size_t n);

/*
 * A non-blocking descriptor for journal_send_on(), connected to nothing, so that it outlives a restart of the journal's
 * socket. The caller closes it. Negative errno.
 */
int journal_open(void);

/* Sends an entry on such a descriptor, without waiting. Returns what journal_send() does. */
int journal_send_on(int fd, const struct journal_entry *entry);

/*
 * Sends an entry, and waits up to `wait_ms` milliseconds for a journal that is busy.
 * 0; -EAGAIN: it was busy for all that time; -EMSGSIZE: the entry did not fit, and is lost; else as journal_connect().
 */
int journal_send(const struct journal_entry *entry, unsigned wait_ms);

#endif
