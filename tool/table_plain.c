/* SPDX-License-Identifier: MIT */
/*
 * The same tables by the C library alone, for the portable program: no colours, and a narrow terminal wraps lines by itself. Without a terminal they
 * are the same to the byte, which a test compares.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "command.h"
#include "say.h"
#include "table.h"

struct table {
        const struct column *columns;
        unsigned count;
        size_t rows, room;
        char **cells; /* of all rows, as they are printed */
        int width[];
};

/* What the terminal could take for a command, or cannot show, as \xNN; the number of columns it takes. */
static char *printable(const char *text, int *width)
{
        size_t left = strlen(text);
        char *out = malloc(left * 4 + 1), *at = out;
        mbstate_t state = { 0 };
        wchar_t c;

        *width = 0;
        while (out && left) {
                size_t n = mbrtowc(&c, text, left, &state);
                int columns = n == (size_t)-1 || n == (size_t)-2 ? -1 : wcwidth(c);

                if (columns < 0) {
                        memset(&state, 0, sizeof(state));
                        n = 1;
                        *width += snprintf(at, 5, "\\x%02x", (unsigned char)*text);
                        at += 4;
                } else {
                        memcpy(at, text, n);
                        at += n;
                        *width += columns;
                }
                text += n;
                left -= n;
        }
        if (out)
                *at = 0;
        return out;
}

struct table *table_new(const struct column *columns, unsigned count)
{
        struct table *t = calloc(1, sizeof(*t) + count * sizeof(t->width[0]));

        if (!t)
                return NULL;
        t->columns = columns;
        t->count = count;
        for (unsigned i = 0; i < count; i++)
                t->width[i] = (int)strlen(columns[i].head);
        return t;
}

int table_row(struct table *t, const char *const *cells)
{
        if (t->rows == t->room) {
                size_t room = t->room ? t->room * 2 : 16;
                char **more = reallocarray(t->cells, room * t->count, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                t->cells = more;
                t->room = room;
        }
        for (unsigned i = 0; i < t->count; i++) {
                char **cell = &t->cells[t->rows * t->count + i];
                int width;

                *cell = printable(cells[i] ? cells[i] : "", &width);
                if (!*cell) {
                        while (i--)
                                free(*--cell);
                        return -ENOMEM;
                }
                if (width > t->width[i])
                        t->width[i] = width;
        }
        t->rows++;
        return 0;
}

static void print_row(const struct table *t, const char *const *cells)
{
        for (unsigned i = 0; i < t->count; i++) {
                const char *text = cells ? cells[i] : t->columns[i].head;
                int width, pad;

                free(printable(text, &width));
                pad = t->width[i] - width;
                if (t->columns[i].right)
                        (void)printf("%*s%s", pad, "", text);
                else
                        (void)printf("%s%*s", text, i + 1 < t->count ? pad : 0, "");
                (void)fputs(i + 1 < t->count ? "  " : "\n", stdout);
        }
}

void table_strong(struct table *t)
{
        (void)t;
}

int table_print(struct table *t)
{
        print_row(t, NULL);
        for (size_t row = 0; row < t->rows; row++)
                print_row(t, (const char *const *)t->cells + row * t->count);
        for (size_t i = 0; i < t->rows * t->count; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
        return say_finish();
}
