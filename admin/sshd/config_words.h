/* SPDX-License-Identifier: Apache-2.0 */
/* A line of sshd's configuration, taken apart as sshd does it. */
#ifndef EXC_CONFIG_WORDS_H
#define EXC_CONFIG_WORDS_H

#define CONFIG_BLANKS " \t\r\n"

/*
 * Cuts the keyword off, as strdelim() in OpenSSH's misc.c does it: it ends at a blank or one '=', and may stand in quotes.
 * NULL where a quote is not closed.
 */
char *config_keyword(char **line);

/*
 * The next word, as argv_split() in OpenSSH's misc.c does it, to be freed; "" at the end or a comment, NULL without memory.
 */
char *config_word(const char **at);

#endif
