/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell_word.h"

#include <stdlib.h>
#include <string.h>

#define QUOTED_QUOTE "'\\''"

char *shell_word(const char *text) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";
        char *word, *to;

        if (text[0] != '\0' && strspn(text, plain) == strlen(text))
                return strdup(text);
        to = word = malloc(strlen(text) * strlen(QUOTED_QUOTE) + 3);
        if (!word)
                return NULL;
        *to++ = '\'';
        for (; *text; text++)
                if (*text == '\'')
                        to = stpcpy(to, QUOTED_QUOTE);
                else
                        *to++ = *text;
        *to++ = '\'';
        *to = '\0';
        return word;
}
