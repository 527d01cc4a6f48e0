/* SPDX-License-Identifier: Apache-2.0 */
/* A growing list of strings. */
#ifndef EXC_STRV_H
#define EXC_STRV_H

#include <stdbool.h>
#include <stddef.h>

/* Starts from all zeros. */
struct strv {
        char **item;
        size_t n;
        size_t room;
};

/* Appends a copy. -ENOMEM, and the list is unchanged. */
int strv_add(struct strv *strv, const char *text);

/* Sorts by strcmp(3). */
void strv_sort(struct strv *strv);

/* Whether a sorted list has this string. */
bool strv_contains(const struct strv *strv, const char *text);

void strv_clear(struct strv *strv);

#endif
