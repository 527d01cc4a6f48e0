/* SPDX-License-Identifier: Apache-2.0 */
/* What would change in a file, as diff -u shows it. */
#ifndef EXC_DIFF_H
#define EXC_DIFF_H

#include <stdio.h>

/*
 * Prints the difference of two texts with three lines around it, or nothing where there is none. NULL is no file: it is
 * shown as /dev/null. What differs is shown as one piece, from its first line to its last.
 */
void diff_print(FILE *to, const char *path, const char *before, const char *after);

#endif
