/* SPDX-License-Identifier: Apache-2.0 */
/* Words of systemd's lines: see "Quoting" in systemd.syntax(7), and "Specifiers" in systemd.unit(5). */
#ifndef EXC_UNIT_WORDS_H
#define EXC_UNIT_WORDS_H

#include <stdbool.h>

/* An instance and a name in place of their specifiers. Others are no part of an sshd's command line, and stay. */
int unit_expand_specifiers(const char *text, const char *unit, char **ret);

/*
 * The next word, without its quotes. `*at` is moved behind it. False at the end; `*ret` NULL there, or without memory, or
 * where a quote is not closed, which `*ret_open` tells.
 */
bool unit_next_word(const char **at, char **ret, bool *ret_open);

#endif
