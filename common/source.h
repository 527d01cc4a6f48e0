/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses a client may connect from: IPv4 or IPv6, as sshd's from= option has them (sshd(8)). */
#ifndef EXC_SOURCE_H
#define EXC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
        SOURCE_V4 = 4,
        SOURCE_V6 = 6,
        SOURCE_TEXT_MAX = 50, /* an IPv6 address, "/128" and a NUL */
};

struct source {
        uint8_t family;      /* SOURCE_V4 or SOURCE_V6 */
        uint8_t prefix;      /* bits; 32 or 128 for a single address */
        uint8_t address[16]; /* network byte order; zero after the family's length */
};

/*
 * Parses an address, or a range with its host bits zero: sshd refuses the whole line for a range with host bits.
 * IPv4-mapped IPv6 (::ffff:192.0.2.1) is refused: sshd compares such a client as IPv4, so it would never match.
 * `ret` is written only on success.
 */
bool source_from_text(const char *text, struct source *ret);

/*
 * Whether it is an IPv6 address or range within fe80::/10, with or without a zone. sshd sees such a client with its zone, as
 * fe80::1%eth0, and matches that with no from= at all, ::/0 included: a push for such clients only lets nobody in.
 */
bool source_is_link_local(const char *text);

#define SOURCE_LINK_LOCAL                                                                                              \
        "a client with a link-local address matches no source, since sshd sees it with its zone; give other "          \
        "addresses, or no source"

/* Whether the fields are consistent: known family, prefix within it, host bits zero. For what is read from a file. */
bool source_valid(const struct source *source);

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". */
void source_to_text(const struct source *source, char ret[static SOURCE_TEXT_MAX]);

#endif
