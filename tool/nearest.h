/* SPDX-License-Identifier: MIT */
/* Which known word did a mistyped one mean? */
#pragma once

struct nearest {
        const char *word;
        const char *best; /* NULL: nothing is near enough to be worth saying */
        unsigned distance;
};

void nearest_try(struct nearest *, const char *candidate);

/* The first word behind command `who` is none of `verbs` ("create|wait"), or there is none (NULL): says so, and what may have been meant. */
void nearest_verb(const char *who, const char *verbs, const char *word);
