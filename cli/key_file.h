/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys from files as ssh-keygen writes them (sshd(8), AUTHORIZED_KEYS FILE FORMAT): a key to a line, "type
 * base64" and perhaps a comment, which is dropped. Lines end in LF, CR or both. Empty ones and those that begin with # are
 * skipped, and so is a byte order mark of UTF-8. Options are refused: a push says in its own fields what a key may be used for.
 */
#ifndef EXC_KEY_FILE_H
#define EXC_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/ssh_key.h"

enum {
        KEY_LIST_MAX = 8,         /* keys in one push (interface/push.md) */
        KEY_FILE_MAX = 64 * 1024, /* bytes */
        KEY_FILE_WHY_MAX = 512,
};

struct key_list {
        size_t n;
        struct {
                struct ssh_key key;
                const char *file;
                unsigned line; /* from 1 */
        } at[KEY_LIST_MAX];
};

/*
 * Adds the keys in `from`, at least one. `name` is the file's for messages, and must outlive the list.
 * False: `ret_why` then names the file, the line where there is one, what is wrong and what to do.
 */
bool key_file_read(FILE *from, const char *name, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]);

/* The same for a path, "-" being standard input. */
bool key_file_read_path(const char *path, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]);

#endif
