/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/token.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/base64.h"

enum { TOKEN_SIZE = 16 }; /* bytes */

int token_make(char ret[static TOKEN_MAX]) {
        char text[BASE64_LENGTH(TOKEN_SIZE) + 1];
        uint8_t raw[TOKEN_SIZE];

        /* So few bytes are never interrupted (getrandom(2)). */
        if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
                return -EIO;
        base64_encode(raw, sizeof(raw), text);
        for (size_t i = 0; i < TOKEN_LENGTH; i++)
                ret[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        ret[TOKEN_LENGTH] = '\0';
        return 0;
}

bool token_valid(const char *text) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

        return strlen(text) == TOKEN_LENGTH && strspn(text, alphabet) == TOKEN_LENGTH;
}
