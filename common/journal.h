/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries for the journal, in its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram each, never waited for.
 * sd_journal_send(3) would wait for a journal that does not read, and with it every login and every push.
 */
#ifndef EXC_JOURNAL_H
#define EXC_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

enum { JOURNAL_ENTRY_MAX = 8 * 1024 }; /* bytes */

struct journal_entry {
        uint8_t raw[JOURNAL_ENTRY_MAX];
        struct writer to;
};

void journal_begin(struct journal_entry *entry);

/* Adds a field. One without a value is left out: an empty one would match in a query. Any bytes but NUL may be in it. */
void journal_add(struct journal_entry *entry, const char *name, const char *value);

/* False when no journal listens, it does not read, or the entry is too long: the entry is then lost, and can go elsewhere. */
bool journal_send(const struct journal_entry *entry);

#endif
