/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/selinux_denial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* Copies the `n` bytes at `from`, if they are of `characters` alone, fit, and are not empty. */
static bool take(const char *from, size_t n, const char *characters, char *ret, size_t size) {
        if (n == 0 || n >= size || strspn(from, characters) < n)
                return false;
        memcpy(ret, from, n);
        ret[n] = '\0';
        return true;
}

/* What stands behind " NAME=": names of files and programs, which anybody may give, have no blanks in these lines. */
static const char *value_of(const char *line, const char *name) {
        char text[32];
        const char *at;

        (void)snprintf(text, sizeof(text), " %s=", name);
        at = strstr(line, text);
        return at ? at + strlen(text) : NULL;
}

/* Of USER:ROLE:TYPE or USER:ROLE:TYPE:RANGE. */
static bool take_type(const char *context, char ret[static SELINUX_NAME_MAX]) {
        for (int i = 0; i < 2 && context; i++) {
                context = strpbrk(context, ": ");
                context = context && *context == ':' ? context + 1 : NULL;
        }
        return context && take(context, strcspn(context, ": \n"), NAME_CHARACTERS, ret, SELINUX_NAME_MAX);
}

static bool is_ours(const char *type) {
        return strncmp(type, "exc_instance_connect_", strlen("exc_instance_connect_")) == 0 ||
               strncmp(type, "exc_authorized_keys_", strlen("exc_authorized_keys_")) == 0;
}

static bool take_accesses(const char *line, char ret[static SELINUX_ACCESSES_MAX]) {
        const char *from = strstr(line, "denied"), *end;

        from = from ? strchr(from, '{') : NULL;
        end = from ? strchr(from, '}') : NULL;
        if (!end)
                return false;
        from += strspn(from, "{ ");
        while (end > from && end[-1] == ' ')
                end--;
        return end > from && take(from, (size_t)(end - from), NAME_CHARACTERS " ", ret, SELINUX_ACCESSES_MAX);
}

bool selinux_denial_parse(const char *line, struct selinux_denial *ret) {
        const char *avc = strstr(line, "avc: "), *class, *permissive;
        struct selinux_denial denial = {.domain = ""};

        if (!avc || !take_accesses(avc, denial.accesses))
                return false;
        permissive = value_of(avc, "permissive");
        if (permissive && *permissive != '0')
                return false;
        class = value_of(avc, "tclass");
        if (!class || !take(class, strcspn(class, " \n"), NAME_CHARACTERS, denial.class, sizeof(denial.class)) ||
            !take_type(value_of(avc, "scontext"), denial.domain) ||
            !take_type(value_of(avc, "tcontext"), denial.target))
                return false;
        if (!is_ours(denial.domain) && !is_ours(denial.target))
                return false;
        *ret = denial;
        return true;
}

bool selinux_policy_was_loaded(const char *line) {
        return strncmp(line, "type=MAC_POLICY_LOAD ", strlen("type=MAC_POLICY_LOAD ")) == 0 ||
               strncmp(line, "MAC_POLICY_LOAD ", strlen("MAC_POLICY_LOAD ")) == 0 ||
               strncmp(line, "audit: type=1403 ", strlen("audit: type=1403 ")) == 0;
}

int64_t selinux_line_time(const char *line) {
        const char *at = value_of(line, "msg");
        long long seconds;
        char *end;

        if (!at || strncmp(at, "audit(", strlen("audit(")) != 0)
                return -1;
        seconds = strtoll(at + strlen("audit("), &end, 10);
        return *end == '.' && seconds >= 0 ? seconds : -1;
}
