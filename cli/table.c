/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "wire/terminal.h"

enum { GAP = 2 };

bool table_add(struct table *table, const char *const *cells) {
        if (table->room - table->n < table->columns) {
                size_t room = table->room ? table->room * 2 : 64 * TABLE_COLUMNS_MAX;
                char **larger = reallocarray(table->cells, room, sizeof(char *));

                if (!larger)
                        return false;
                table->cells = larger;
                table->room = room;
        }
        for (size_t i = 0; i < table->columns; i++) {
                char *cell = strdup(*cells[i] ? cells[i] : "-");

                if (!cell) {
                        while (i-- > 0)
                                free(table->cells[--table->n]);
                        return false;
                }
                table->cells[table->n++] = cell;
        }
        return true;
}

void table_print(struct table *table) {
        size_t widths[TABLE_COLUMNS_MAX] = {0};

        for (size_t i = 0; i < table->columns; i++)
                widths[i] = strlen(table->headings[i]);
        for (size_t i = 0; i < table->n; i++) {
                size_t width = terminal_width(table->cells[i]);

                if (width > widths[i % table->columns])
                        widths[i % table->columns] = width;
        }
        for (size_t i = 0; table->n > 0 && i < table->columns; i++)
                print_cell(table->headings[i], widths[i] + GAP, i + 1 == table->columns);
        if (table->n > 0)
                (void)putchar('\n');
        for (size_t i = 0; i < table->n; i++) {
                bool last = (i + 1) % table->columns == 0;

                print_cell(table->cells[i], widths[i % table->columns] + GAP, last);
                if (last)
                        (void)putchar('\n');
                free(table->cells[i]);
        }
        free(table->cells);
        table->cells = NULL;
        table->n = table->room = 0;
}
