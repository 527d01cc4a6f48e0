/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/match_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/keys_command.h"

static const char *const attributes[MATCH_ATTRIBUTES] = {"User",         "Group",     "Host",   "Address",
                                                         "LocalAddress", "LocalPort", "RDomain"};

const char *match_condition(const char *condition, char *lists[static MATCH_ATTRIBUTES]) {
        char *word;

        while (sshd_word_next(&condition, true, &word) > 0) {
                size_t n = strcspn(word, "="), i = 0;
                bool value_follows = word[n] == '\0', again;

                while (i < MATCH_ATTRIBUTES && (strlen(attributes[i]) != n || strncasecmp(word, attributes[i], n) != 0))
                        i++;
                again = i < MATCH_ATTRIBUTES && lists[i];
                if (i < MATCH_ATTRIBUTES && !again && !value_follows)
                        lists[i] = strdup(word + n + 1);
                free(word);
                if (i == MATCH_ATTRIBUTES)
                        return "it asks for what cannot be given";
                if (again)
                        return "it names one attribute twice, and both lists must be met";
                if (value_follows && sshd_word_next(&condition, true, &lists[i]) <= 0)
                        return "it cannot be read";
        }
        return NULL;
}

void match_instance(const char *pattern, char ret[static PATTERN_MAX]) {
        size_t n = 0;

        for (; *pattern && n + 1 < PATTERN_MAX; pattern++)
                if (*pattern != '*')
                        ret[n++] = *pattern == '?' ? 'x' : *pattern;
        ret[n] = '\0';
}

static const char *value_or(const char *value, const char *other) {
        return value ? value : other;
}

char *match_specification(const char *const values[static MATCH_ATTRIBUTES]) {
        char *text;

        if (asprintf(&text, "user=%s,host=%s,addr=%s,laddr=%s,lport=%s,rdomain=%s", values[MATCH_USER],
                     value_or(values[MATCH_HOST], "localhost"), value_or(values[MATCH_ADDRESS], "127.0.0.1"),
                     value_or(values[MATCH_LOCAL_ADDRESS], "127.0.0.1"), value_or(values[MATCH_LOCAL_PORT], "22"),
                     value_or(values[MATCH_RDOMAIN], "")) < 0)
                return NULL;
        return text;
}
