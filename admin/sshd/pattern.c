/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/source.h"

/* Goes back to the latest star when the rest does not fit: no more steps than length times length. */
bool pattern_matches(const char *pattern, const char *text) {
        const char *star = NULL, *from = NULL;

        while (*text) {
                if (*pattern == '*') {
                        star = pattern++;
                        from = text;
                } else if (*pattern == '?' || *pattern == *text) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star + 1;
                        text = ++from;
                } else
                        return false;
        }
        return pattern[strspn(pattern, "*")] == '\0';
}

bool pattern_next(const char **list, char ret[static PATTERN_MAX], bool *ret_negated) {
        size_t n;

        if (**list == '\0')
                return false;
        *ret_negated = **list == '!';
        *list += *ret_negated;
        n = strcspn(*list, ",");
        (void)snprintf(ret, PATTERN_MAX, "%.*s", n < PATTERN_MAX ? (int)n : 0, *list);
        *list += n;
        *list += **list == ',';
        return true;
}

static int list_matches(const char *list, const char *text, bool (*matches)(const char *pattern, const char *text)) {
        char pattern[PATTERN_MAX];
        bool negated;
        int result = 0;

        while (pattern_next(&list, pattern, &negated))
                if (matches(pattern, text)) {
                        if (negated)
                                return -1;
                        result = 1;
                }
        return result;
}

int pattern_list(const char *list, const char *text) {
        return list_matches(list, text, pattern_matches);
}

/* A client with a zone is in no network (common/source.h). */
bool pattern_address(const char *pattern, const char *address) {
        struct source range, one;

        if (!source_from_text(pattern, &range))
                return pattern_matches(pattern, address);
        if (!source_from_text(address, &one) || one.family != range.family)
                return false;
        for (unsigned bit = 0; bit < range.prefix; bit++)
                if ((one.address[bit / 8] ^ range.address[bit / 8]) & 0x80 >> bit % 8)
                        return false;
        return true;
}

int pattern_address_list(const char *list, const char *address) {
        return list_matches(list, address, pattern_address);
}

const char *pattern_user_host(const char *entry, int version) {
        const char *at = version >= PATTERN_LAST_AT_VERSION ? strrchr(entry, '@') : strchr(entry, '@');

        return at ? at + 1 : NULL;
}

/* Host names are compared in lower case (match_hostname() in match.c). */
static int host_list_matches(const char *list, const char *host) {
        char lower[2][1024];
        const char *const texts[] = {list, host};

        for (size_t i = 0; i < 2; i++) {
                size_t n = 0;

                for (; texts[i][n] && n + 1 < sizeof(lower[i]); n++)
                        lower[i][n] = (char)tolower((unsigned char)texts[i][n]);
                lower[i][n] = '\0';
        }
        return pattern_list(lower[0], lower[1]);
}

bool pattern_user(const char *entry, int version, const char *name, const char *host, const char *address) {
        const char *hosts = pattern_user_host(entry, version);
        char user[PATTERN_MAX];
        int by_address, by_host;

        if (!hosts)
                return pattern_matches(entry, name);
        (void)snprintf(user, sizeof(user), "%.*s", (int)(hosts - 1 - entry), entry);
        if (!pattern_matches(user, name))
                return false;
        by_address = pattern_address_list(hosts, address);
        by_host = host_list_matches(hosts, host);
        return by_address >= 0 && by_host >= 0 && by_address + by_host > 0;
}
