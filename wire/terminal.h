/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Untrusted text on a terminal.
 *
 * Characters that a terminal interprets or hides are escaped: control characters as \xNN; C1 controls, bidirectional
 * controls, separators and characters that show nothing as \u{NNNN}; and each byte of invalid UTF-8 (RFC 3629) as \xNN.
 * All else is printed unchanged, the backslash too: DOMAIN\alice is a common principal, and no program parses this.
 */
#ifndef EXC_TERMINAL_H
#define EXC_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

void terminal_print(FILE *to, const char *text);

/* The same for `n` bytes, which may include NUL. */
void terminal_print_bytes(FILE *to, const char *text, size_t n);

/* Whether terminal_print() would escape nothing in `text`. `ret_characters`: its length in characters. */
bool terminal_plain(const char *text, size_t *ret_characters);

/* Number of characters that terminal_print() writes for `text`, for the width of a column. */
size_t terminal_width(const char *text);

/* The same for `n` bytes. */
size_t terminal_width_bytes(const char *text, size_t n);

#endif
