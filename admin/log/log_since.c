/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/log_since.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define US_PER_S 1000000
#define AGE_MAX_S (INT64_C(1) << 40) /* so that it fits in microseconds */

/* A number of at most `digits` digits; NULL when there is none. */
static const char *number(const char *text, size_t digits, int64_t *ret) {
        size_t n = strspn(text, "0123456789");

        if (n == 0 || n > digits)
                return NULL;
        *ret = 0;
        for (size_t i = 0; i < n; i++)
                *ret = *ret * 10 + (text[i] - '0');
        return text + n;
}

/* Exactly so many digits, and then `next` unless it is NUL. */
static bool field(const char **text, size_t digits, char next, int *ret) {
        int64_t value;
        const char *end = number(*text, digits, &value);

        if (!end || (size_t)(end - *text) != digits || (next != '\0' && *end != next))
                return false;
        *text = end + (next != '\0');
        *ret = (int)value;
        return true;
}

static int64_t unit_s(const char *word, size_t n) {
        static const struct {
                const char *name;
                int64_t s;
        } units[] = {
                {"s", 1},       {"sec", 1},      {"second", 1},   {"seconds", 1}, {"m", 60},        {"min", 60},
                {"minute", 60}, {"minutes", 60}, {"h", 3600},     {"hr", 3600},   {"hour", 3600},   {"hours", 3600},
                {"d", 86400},   {"day", 86400},  {"days", 86400}, {"w", 604800},  {"week", 604800}, {"weeks", 604800},
        };

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (strlen(units[i].name) == n && strncasecmp(units[i].name, word, n) == 0)
                        return units[i].s;
        return 0;
}

/* "1h30min", "2 days". What is behind it in `ret_end`. */
static bool age(const char *text, int64_t *ret_s, const char **ret_end) {
        int64_t sum = 0;

        do {
                int64_t value, unit;
                size_t n;

                text = number(text, 9, &value);
                if (!text)
                        return false;
                text += strspn(text, " ");
                n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
                unit = unit_s(text, n);
                if (unit == 0)
                        return false;
                sum += value * unit;
                if (sum > AGE_MAX_S)
                        return false;
                text += n;
                text += strspn(text, " ");
        } while (*text >= '0' && *text <= '9');
        *ret_s = sum;
        *ret_end = text;
        return true;
}

/* Neither mktime(3) nor timegm(3) minds a February 30. */
static bool seconds_of(const struct tm *asked, bool utc, int64_t *ret_us) {
        struct tm tm = *asked;
        time_t t;

        tm.tm_isdst = -1;
        t = utc ? timegm(&tm) : mktime(&tm);
        if (tm.tm_year != asked->tm_year || tm.tm_mon != asked->tm_mon || tm.tm_mday != asked->tm_mday)
                return false;
        *ret_us = (int64_t)t * US_PER_S;
        return true;
}

static bool clock_time(const char *text, struct tm *tm, bool *ret_utc) {
        if (!field(&text, 2, ':', &tm->tm_hour) || !field(&text, 2, '\0', &tm->tm_min))
                return false;
        if (*text == ':') {
                text++;
                if (!field(&text, 2, '\0', &tm->tm_sec))
                        return false;
        }
        *ret_utc = strcmp(text, "Z") == 0 || strcmp(text, " UTC") == 0;
        return (*text == '\0' || *ret_utc) && tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

static bool date_and_time(const char *text, int64_t *ret_us) {
        struct tm tm = {0};
        bool utc = false;

        if (!field(&text, 4, '-', &tm.tm_year) || !field(&text, 2, '-', &tm.tm_mon) ||
            !field(&text, 2, '\0', &tm.tm_mday))
                return false;
        if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12)
                return false;
        tm.tm_year -= 1900;
        tm.tm_mon--;
        if (strcmp(text, " UTC") == 0 || strcmp(text, "Z") == 0)
                utc = true;
        else if (*text != '\0') {
                if (*text != ' ' && *text != 'T')
                        return false;
                if (!clock_time(text + 1, &tm, &utc))
                        return false;
        }
        return seconds_of(&tm, utc, ret_us);
}

static bool time_of_day(const char *text, int64_t now_us, int days_before, int64_t *ret_us) {
        time_t now = (time_t)(now_us / US_PER_S);
        struct tm tm;
        bool utc = false;

        if (!localtime_r(&now, &tm))
                return false;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        if (text && !clock_time(text, &tm, &utc))
                return false;
        if (utc) /* today there need not be today here */
                return false;
        tm.tm_mday -= days_before;
        tm.tm_isdst = -1;
        *ret_us = (int64_t)mktime(&tm) * US_PER_S;
        return true;
}

bool log_since(const char *text, int64_t now_us, int64_t *ret_us) {
        int64_t us, value;
        const char *end;

        if (strcmp(text, "now") == 0)
                us = now_us;
        else if (strcmp(text, "today") == 0) {
                if (!time_of_day(NULL, now_us, 0, &us))
                        return false;
        } else if (strcmp(text, "yesterday") == 0) {
                if (!time_of_day(NULL, now_us, 1, &us))
                        return false;
        } else if (*text == '@') {
                end = number(text + 1, 12, &value);
                if (!end || *end)
                        return false;
                us = value * US_PER_S;
        } else if (*text == '-') {
                if (!age(text + 1, &value, &end) || *end)
                        return false;
                us = now_us - value * US_PER_S;
        } else if (age(text, &value, &end)) {
                if (strcmp(end, "ago") != 0)
                        return false;
                us = now_us - value * US_PER_S;
        } else if (!date_and_time(text, &us) && !time_of_day(text, now_us, 0, &us))
                return false;
        if (us > now_us)
                return false;
        *ret_us = us < 0 ? 0 : us;
        return true;
}
