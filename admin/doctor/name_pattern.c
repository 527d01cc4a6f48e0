/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/name_pattern.h"

#include <stdio.h>
#include <string.h>

/* Goes back to the latest star when the rest does not fit: no more steps than length times length. */
bool name_pattern_matches(const char *pattern, const char *name) {
        const char *star = NULL, *from = NULL;

        while (*name) {
                if (*pattern == '*') {
                        star = pattern++;
                        from = name;
                } else if (*pattern == '?' || *pattern == *name) {
                        pattern++;
                        name++;
                } else if (star) {
                        pattern = star + 1;
                        name = ++from;
                } else
                        return false;
        }
        return pattern[strspn(pattern, "*")] == '\0';
}

enum name_match name_pattern_user(const char *entry, const char *name) {
        const char *at = strrchr(entry, '@');
        char user[256];

        /* A name with an @ in it, as some directories have them. */
        if (!at || name_pattern_matches(entry, name))
                return name_pattern_matches(entry, name) ? NAME_YES : NAME_NO;
        (void)snprintf(user, sizeof(user), "%.*s", (int)(at - entry), entry);
        return name_pattern_matches(user, name) ? NAME_FROM_SOMEWHERE : NAME_NO;
}
