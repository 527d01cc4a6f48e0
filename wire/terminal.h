/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from elsewhere, on somebody's terminal.
 *
 * What a terminal obeys or hides is written out instead: control characters as \xNN; C1 controls, bidirectional
 * controls, line separators and characters without width as \u{NNNN}; and each byte that is no valid UTF-8 (RFC 3629)
 * as \xNN. All else is printed as it is, the backslash too: DOMAIN\alice is a common principal, and nobody reads this
 * back.
 */
#ifndef EXC_TERMINAL_H
#define EXC_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

void terminal_print(FILE *to, const char *text);

/* The same for `n` bytes, a NUL among them too. */
void terminal_print_bytes(FILE *to, const char *text, size_t n);

/* Whether terminal_print() would print `text` as it is, all of it printable. `ret_characters`: how many there are. */
bool terminal_plain(const char *text, size_t *ret_characters);

/* Characters that terminal_print() writes for `text`: what a column must hold. */
size_t terminal_width(const char *text);

#endif
