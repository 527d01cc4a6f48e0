/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int words_add(struct words *words, const char *word) {
        if (words->n == words->room) {
                size_t room = words->room > 0 ? words->room * 2 : 8;
                char **larger = reallocarray(words->word, room, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                words->word = larger;
                words->room = room;
        }
        words->word[words->n] = strdup(word);
        if (!words->word[words->n])
                return -ENOMEM;
        words->n++;
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void words_sort(struct words *words) {
        if (words->n > 1)
                qsort(words->word, words->n, sizeof(*words->word), compare);
}

bool words_hold(const struct words *words, const char *word) {
        return words->n > 0 && bsearch(&word, words->word, words->n, sizeof(*words->word), compare);
}

void words_clear(struct words *words) {
        for (size_t i = 0; i < words->n; i++)
                free(words->word[i]);
        free(words->word);
        *words = (struct words){.n = 0};
}
