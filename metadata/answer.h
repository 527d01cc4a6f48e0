/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a metadata service answers, taken apart: lists of names, an index of keys, keys, a token, an id. All of it is untrusted.
 *
 * A line ends with LF or CRLF, and the last one need not. A NUL, another control character but TAB, or a byte outside ASCII in a
 * name makes the whole answer malformed: then nothing of it counts. In a list of keys, a line that is a key of a kind or form that
 * is not accepted (a certificate, DSA, options in front) is left out, and the others count; a line that is no key at all makes
 * the answer malformed, as a page of HTML is.
 */
#ifndef EXC_METADATA_ANSWER_H
#define EXC_METADATA_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/ssh_key.h"
#include "conf/metadata_conf.h"
#include "metadata/http.h"

enum {
        ANSWER_KEYS_MAX = 16, /* as the agent takes at most */
        ANSWER_INDEX_MAX = 999,
        ANSWER_WHY_MAX = 160,
};

struct answer_index {
        size_t n;
        unsigned number[ANSWER_KEYS_MAX];
};

struct answer_keys {
        size_t n; /* each key once */
        struct ssh_key key[ANSWER_KEYS_MAX];
        size_t n_left_out;
        enum ssh_key_fault left_out; /* why the first of them was */
};

/*
 * Each returns true, or false with the cause in `ret_why`: in printable ASCII, with nothing of the answer's.
 *
 * A list of the names at a path, which "instance-id" must be one of. `ret_keys`: whether there are public keys.
 */
bool answer_take_list(const char *body, size_t length, bool *ret_keys, char ret_why[static ANSWER_WHY_MAX]);

/* Lines "NUMBER=NAME"; the names do not matter. */
bool answer_take_index(const char *body, size_t length, struct answer_index *ret, char ret_why[static ANSWER_WHY_MAX]);

/* Lines "TYPE BASE64", perhaps with a comment, which does not matter. Adds them to `keys`. */
bool answer_take_keys(const char *body, size_t length, struct answer_keys *keys, char ret_why[static ANSWER_WHY_MAX]);

bool answer_take_token(const char *body, size_t length, char ret[static HTTP_TOKEN_MAX],
                       char ret_why[static ANSWER_WHY_MAX]);

bool answer_take_instance_id(enum metadata_format format, const char *body, size_t length,
                             char ret[static METADATA_INSTANCE_ID_MAX], char ret_why[static ANSWER_WHY_MAX]);

#endif
