/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/unit_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/sshd/unit_files.h"

int unit_expand_specifiers(const char *text, const char *unit, char **ret) {
        char template[UNIT_NAME_MAX], instance[UNIT_NAME_MAX] = "";
        size_t size = strlen(text) + 1, used = 0;
        char *expanded;

        (void)unit_template_of(unit, template, instance);
        for (const char *at = text; (at = strchr(at, '%')); at++)
                size += UNIT_NAME_MAX;
        expanded = malloc(size);
        if (!expanded)
                return -ENOMEM;
        for (; *text; text++) {
                const char *put = NULL;

                if (*text == '%')
                        switch (text[1]) {
                        case '%':
                                put = "%";
                                break;
                        case 'i':
                        case 'I':
                                put = instance;
                                break;
                        case 'n':
                                put = unit;
                                break;
                        }
                if (!put) {
                        expanded[used++] = *text;
                        continue;
                }
                memcpy(expanded + used, put, strlen(put));
                used += strlen(put);
                text++;
        }
        expanded[used] = '\0';
        *ret = expanded; /* transferred */
        return 0;
}

bool unit_next_word(const char **at, char **ret, bool *ret_open) {
        static const char plain[] = "abfnrtv\\\"'s", meant[] = "\a\b\f\n\r\t\v\\\"' ";
        const char *from = *at + strspn(*at, " \t\n\r");
        char *word, quote = '\0';
        size_t n = 0;

        *ret = NULL;
        *ret_open = false;
        if (*from == '\0') {
                *at = from;
                return false;
        }
        word = malloc(strlen(from) + 1);
        if (!word)
                return false;
        for (; *from; from++) {
                const char *escaped;

                if (quote == '\0' && strchr(" \t\n\r", *from))
                        break;
                if (quote == '\0' ? *from == '"' || *from == '\'' : *from == quote) {
                        quote = quote == '\0' ? *from : '\0';
                        continue;
                }
                if (*from == '\\' && from[1] != '\0' && (escaped = strchr(plain, from[1]))) {
                        word[n++] = meant[escaped - plain];
                        from++;
                        continue;
                }
                word[n++] = *from;
        }
        word[n] = '\0';
        *at = from;
        if (quote != '\0') {
                free(word);
                *ret_open = true;
                return false;
        }
        *ret = word; /* transferred */
        return true;
}
