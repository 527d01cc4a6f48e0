/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include <stdbool.h>
#include <string.h>

/* Checked before the parser, which recurses. */
static bool flat_enough(const char *text, size_t length, unsigned depth_max) {
        unsigned depth = 0;
        bool quoted = false;

        for (size_t i = 0; i < length; i++) {
                if (quoted) {
                        if (text[i] == '\\')
                                i++;
                        else if (text[i] == '"')
                                quoted = false;
                } else if (text[i] == '"')
                        quoted = true;
                else if (text[i] == '{' || text[i] == '[') {
                        if (++depth > depth_max)
                                return false;
                } else if ((text[i] == '}' || text[i] == ']') && depth > 0)
                        depth--;
        }
        return true;
}

/* jansson reads a NUL after a number, true, false or null as the end of the text. JSON has no NUL. */
json_t *json_read(const char *text, size_t length, unsigned depth_max) {
        return !memchr(text, '\0', length) && flat_enough(text, length, depth_max)
                       ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
}
