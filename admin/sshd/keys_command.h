/* SPDX-License-Identifier: Apache-2.0 */
/* An AuthorizedKeysCommand, taken apart as sshd does it (argv_split() and percent_expand() in OpenSSH's misc.c). */
#ifndef EXC_KEYS_COMMAND_H
#define EXC_KEYS_COMMAND_H

#include <stdbool.h>

enum {
        KEYS_COMMAND_WORDS_MAX = 64,
        KEYS_COMMAND_SIZE_MAX = 8 * 1024, /* bytes of all words, each with its NUL */
};

struct keys_command {
        int n;
        char *word[KEYS_COMMAND_WORDS_MAX + 1]; /* point into `text`; ended by NULL */
        char text[KEYS_COMMAND_SIZE_MAX];
};

/*
 * The next word of a line, with quotes and backslashes as argv_split() takes them, and `*at` behind it: 1, and `ret` is to be
 * freed. 0 at the end, or where `comments` and a comment begins. -EBADMSG where a quote is not closed; -ENOMEM.
 */
int sshd_word_next(const char **at, bool comments, char **ret);

/*
 * Splits at blanks. A command without arguments gets %u (user_key_command_allowed2() in
 * auth2-pubkey.c). False for an open quote, and when it is empty or too long.
 */
bool keys_command_split(const char *line, struct keys_command *ret);

/* What stands for sshd's tokens. NULL: it is not known. */
struct keys_command_tokens {
        const char *user, *uid, *home, *fingerprint, *type, *key;
};

/* Puts values for %u %U %h %f %t %k and %%. False for another token, one that is not known, and when it is too long. */
bool keys_command_expand(const struct keys_command *command, const struct keys_command_tokens *tokens,
                         struct keys_command *ret);

#endif
