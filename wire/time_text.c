/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/time_text.h"

#include <string.h>
#include <time.h>

#define FORM "%Y-%m-%dT%H:%M:%SZ"

enum { LENGTH = sizeof("2026-01-31T12:00:00Z") - 1 };

/* strptime(3) takes blanks and single digits, and timegm(3) a February 30: what is written again must be the same. */
bool time_text_parse(const char *text, int64_t *ret) {
        struct tm tm = {.tm_year = 0};
        char again[LENGTH + 1];
        time_t t;

        if (strlen(text) != LENGTH || !strptime(text, FORM, &tm))
                return false;
        t = timegm(&tm);
        if (t < 0 || !gmtime_r(&t, &tm) || strftime(again, sizeof(again), FORM, &tm) != LENGTH ||
            strcmp(again, text) != 0)
                return false;
        *ret = (int64_t)t;
        return true;
}
