/* SPDX-License-Identifier: MIT */
/* Aligned tables on stdout, as wide as the terminal; without a terminal nothing is cut or wrapped. */
#pragma once

struct table;

struct column {
        const char *head;
        int right; /* 1: aligned right */
        int wrap;  /* 1: gives way first when the terminal is narrow */
};

struct table *table_new(const struct column *, unsigned count); /* the columns stay where they are; NULL: no memory */
int table_row(struct table *, const char *const *cells);        /* copies; NULL cell: empty. -ENOMEM */
void table_strong(struct table *);                              /* the last row stands out, where there are colours */
int table_print(struct table *);                                /* prints and frees. DONE or FAILED */
