/* SPDX-License-Identifier: Apache-2.0 */
/* 128 random bits in base64url (RFC 4648 section 5) without padding: a push's jti, and Hello's sync. */
#ifndef EXC_TOKEN_H
#define EXC_TOKEN_H

#include <stdbool.h>

enum { TOKEN_LENGTH = 22, TOKEN_MAX = TOKEN_LENGTH + 1 }; /* characters; with the NUL */

/* -EIO when getrandom(2) fails. */
int token_make(char ret[static TOKEN_MAX]);

/* Whether `text` has that form. */
bool token_valid(const char *text);

#endif
