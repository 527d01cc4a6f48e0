/* SPDX-License-Identifier: Apache-2.0 */
/* A list of words that grows. Starts from all zeros. */
#ifndef EXC_WORDS_H
#define EXC_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {
        char **word;
        size_t n;
        size_t room;
};

/* Appends a copy. -ENOMEM. */
int words_add(struct words *words, const char *word);

/* Byte order, and whether a list in that order holds a word. */
void words_sort(struct words *words);
bool words_hold(const struct words *words, const char *word);

void words_clear(struct words *words);

#endif
