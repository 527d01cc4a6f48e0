/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/value.h"

#include <jansson.h>
#include <stddef.h>

/* strtol(3) would take blanks, signs and more. */
bool value_number(const char *text, int least, int most, int *ret) {
        int value = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                value = value * 10 + (*text - '0');
                if (value > most) /* before it can overflow */
                        return false;
        }
        if (value < least)
                return false;
        *ret = value;
        return true;
}

/* jansson knows what that is. */
bool value_utf8(const char *text) {
        json_t *string = json_string(text);

        json_decref(string);
        return string != NULL;
}
