/* SPDX-License-Identifier: Apache-2.0 */
/* Words of command lines that are printed for people to copy. */
#ifndef EXC_SHELL_WORD_H
#define EXC_SHELL_WORD_H

/* `text` as one word of a POSIX shell, in single quotes where it needs them. The caller frees it; NULL without memory. */
char *shell_word(const char *text);

#endif
