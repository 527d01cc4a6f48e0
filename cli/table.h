/* SPDX-License-Identifier: Apache-2.0 */
/* Lists for people: rows in aligned columns, with headings; folded where a terminal is narrower than a row. */
#ifndef EXC_TABLE_H
#define EXC_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { TABLE_COLUMNS_MAX = 8 };

struct table {
        const char *const *headings;
        size_t columns;
        char **cells; /* of all rows */
        size_t n, room;
};

/* Adds a row of as many cells as there are headings; "" is shown as "-". False without memory. */
bool table_add(struct table *table, const char *const *cells);

/* Prints on standard output and frees the rows; nothing where there are none. */
void table_print(struct table *table);

#endif
