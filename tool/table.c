/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

#include "command.h"
#include "say.h"

struct table {
        struct libscols_table *table;
        struct libscols_line *last;
        unsigned columns;
};

struct table *table_new(const struct column *columns, unsigned count)
{
        struct table *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->columns = count;
        t->table = scols_new_table();
        if (!t->table) {
                free(t);
                return NULL;
        }
        (void)scols_table_enable_colors(t->table, say_colour());
        (void)scols_table_set_column_separator(t->table, "  ");
        for (unsigned i = 0; i < count; i++)
                if (!scols_table_new_column(t->table, columns[i].head, 0,
                                            (columns[i].right ? SCOLS_FL_RIGHT : 0) | (columns[i].wrap ? SCOLS_FL_WRAP : 0))) {
                        scols_unref_table(t->table);
                        free(t);
                        return NULL;
                }
        return t;
}

int table_row(struct table *t, const char *const *cells)
{
        struct libscols_line *line = scols_table_new_line(t->table, NULL);

        if (!line)
                return -ENOMEM;
        t->last = line;
        for (unsigned i = 0; i < t->columns; i++)
                if (scols_line_set_data(line, i, cells[i] ? cells[i] : "") < 0)
                        return -ENOMEM;
        return 0;
}

void table_strong(struct table *t)
{
        if (t->last)
                (void)scols_line_set_color(t->last, "\033[1m");
}

int table_print(struct table *t)
{
        int r = scols_print_table(t->table);

        scols_unref_table(t->table);
        free(t);
        return r < 0 ? FAILED : say_finish();
}
