/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/config_words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

char *config_keyword(char **line) {
        char *keyword = *line, *end = strpbrk(keyword, CONFIG_BLANKS "\"="), *rest;
        bool equals;

        if (!end) {
                *line = keyword + strlen(keyword);
                return keyword;
        }
        if (*end == '"') {
                memmove(end, end + 1, strlen(end + 1) + 1);
                end = strchr(end, '"');
                if (!end)
                        return NULL;
                *end = '\0';
                *line = end + 1 + strspn(end + 1, CONFIG_BLANKS);
                return keyword;
        }
        equals = *end == '=';
        *end = '\0';
        rest = end + 1 + strspn(end + 1, CONFIG_BLANKS);
        if (*rest == '=' && !equals)
                rest += 1 + strspn(rest + 1, CONFIG_BLANKS);
        *line = rest;
        return keyword;
}

char *config_word(const char **at) {
        const char *from = *at + strspn(*at, " \t");
        char *word = malloc(strlen(from) + 1), quote = '\0';
        size_t n = 0;

        if (!word)
                return NULL;
        for (; *from; from++) {
                if (n == 0 && quote == '\0' && *from == '#')
                        from += strlen(from) - 1;
                else if (*from == '\\' && from[1] != '\0' &&
                         (strchr("'\"\\", from[1]) || (quote == '\0' && from[1] == ' ')))
                        word[n++] = *++from;
                else if (quote == '\0' && (*from == ' ' || *from == '\t'))
                        break;
                else if (quote == '\0' ? *from == '"' || *from == '\'' : *from == quote)
                        quote = quote == '\0' ? *from : '\0';
                else
                        word[n++] = *from;
        }
        word[n] = '\0';
        *at = from;
        return word;
}
