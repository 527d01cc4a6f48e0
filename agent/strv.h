/* SPDX-License-Identifier: Apache-2.0 */
/* A list of strings that grows. Starts from all zeros. */
#ifndef EXC_STRV_H
#define EXC_STRV_H

#include <stdbool.h>
#include <stddef.h>

struct strv {
        char **item;
        size_t n;
        size_t room;
};

/* Appends a copy. -ENOMEM. */
int strv_add(struct strv *strv, const char *word);

/* Byte order, and whether a list in that order holds a word. */
void strv_sort(struct strv *strv);
bool strv_contains(const struct strv *strv, const char *word);

void strv_clear(struct strv *strv);

#endif
