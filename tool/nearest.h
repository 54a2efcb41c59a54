/* SPDX-License-Identifier: MIT */
/* Which known word did a mistyped one mean? */
#pragma once

struct nearest {
        const char *word;
        const char *best; /* NULL: nothing is near enough to be worth saying */
        unsigned distance;
};

void nearest_try(struct nearest *, const char *candidate);
