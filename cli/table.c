/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "wire/terminal.h"

enum {
        GAP = 2,
        FOLD = 4, /* blanks before what does not fit beside the cells to its left */
};

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

/* Where the terminal is too narrow, a row goes on in the next line, at the same column for each row. */
static void print_row(const struct table *table, const size_t *widths, const char *const *cells,
                      enum output_style style) {
        size_t width = output_width(stdout), used = 0, blanks = 0;

        for (size_t i = 0; i < table->columns; i++) {
                size_t columns = terminal_width(cells[i]);

                if (width > 0 && i > 0 && used + blanks + widths[i] > width) {
                        (void)putchar('\n');
                        used = 0;
                        blanks = FOLD;
                }
                (void)printf("%*s", (int)blanks, "");
                print_styled(stdout, style, cells[i], 0);
                used += blanks + columns;
                blanks = widths[i] - columns + GAP;
        }
        (void)putchar('\n');
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
        if (table->n > 0)
                print_row(table, widths, table->headings, OUTPUT_HEADING);
        for (size_t i = 0; i < table->n; i += table->columns)
                print_row(table, widths, (const char *const *)table->cells + i, OUTPUT_PLAIN);
        for (size_t i = 0; i < table->n; i++)
                free(table->cells[i]);
        free(table->cells);
        table->cells = NULL;
        table->n = table->room = 0;
}
