/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/keys_command.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct filling {
        struct keys_command *to;
        size_t used;
        bool full;
};

static void put(struct filling *filling, char c) {
        if (filling->used < KEYS_COMMAND_SIZE_MAX)
                filling->to->text[filling->used++] = c;
        else
                filling->full = true;
}

static void begin_word(struct filling *filling) {
        if (filling->to->n < KEYS_COMMAND_WORDS_MAX && filling->used < KEYS_COMMAND_SIZE_MAX)
                filling->to->word[filling->to->n++] = filling->to->text + filling->used;
        else
                filling->full = true;
}

static void add_word(struct filling *filling, const char *word) {
        begin_word(filling);
        do
                put(filling, *word);
        while (*word++);
}

static void end_command(struct filling *filling) {
        filling->to->word[filling->to->n] = NULL;
}

int sshd_word_next(const char **at, bool comments, char **ret) {
        const char *from = *at + strspn(*at, " \t");
        char quote = '\0', *word;
        size_t n = 0;

        if (*from == '\0' || (comments && *from == '#'))
                return 0;
        word = malloc(strlen(from) + 1);
        if (!word)
                return -ENOMEM;
        for (; *from && (quote || (*from != ' ' && *from != '\t')); from++)
                if (*from == '\\' && from[1] && (strchr("'\"\\", from[1]) || (!quote && from[1] == ' ')))
                        word[n++] = *++from;
                else if (quote ? *from == quote : *from == '"' || *from == '\'')
                        quote = quote ? '\0' : *from;
                else
                        word[n++] = *from;
        if (quote) {
                free(word);
                return -EBADMSG;
        }
        word[n] = '\0';
        *ret = word; /* transferred */
        *at = from;
        return 1;
}

bool keys_command_split(const char *line, struct keys_command *ret) {
        struct filling filling = {.to = ret};
        char *word;
        int r;

        ret->n = 0;
        while ((r = sshd_word_next(&line, false, &word)) > 0) {
                add_word(&filling, word);
                free(word);
                if (filling.full)
                        return false;
        }
        if (ret->n == 1)
                add_word(&filling, "%u");
        end_command(&filling);
        return r == 0 && ret->n > 0 && !filling.full;
}

static const char *value_of(const struct keys_command_tokens *tokens, char token) {
        switch (token) {
        case 'u':
                return tokens->user;
        case 'U':
                return tokens->uid;
        case 'h':
                return tokens->home;
        case 'f':
                return tokens->fingerprint;
        case 't':
                return tokens->type;
        case 'k':
                return tokens->key;
        case '%':
                return "%";
        default:
                return NULL;
        }
}

bool keys_command_expand(const struct keys_command *command, const struct keys_command_tokens *tokens,
                         struct keys_command *ret) {
        struct filling filling = {.to = ret};

        ret->n = 0;
        for (int i = 0; i < command->n; i++) {
                begin_word(&filling);
                for (const char *c = command->word[i]; *c; c++) {
                        const char *value;

                        if (*c != '%') {
                                put(&filling, *c);
                                continue;
                        }
                        value = value_of(tokens, *++c);
                        if (!value)
                                return false;
                        while (*value)
                                put(&filling, *value++);
                }
                put(&filling, '\0');
                if (filling.full)
                        return false;
        }
        end_command(&filling);
        return true;
}
