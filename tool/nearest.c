/* SPDX-License-Identifier: MIT */
/*
 * Edit distance: insert, delete, replace, or swap two neighbours, each costs one. A suggestion further away than a third of the word is
 * noise and is not made; a word that begins with what was typed is near at once.
 */
#include "nearest.h"

#include <stdio.h>
#include <string.h>

#include "say.h"

enum { LONGEST = 31 };

static unsigned least(unsigned a, unsigned b)
{
        return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
        unsigned d[LONGEST + 1][LONGEST + 1];
        size_t n = strlen(a), m = strlen(b);

        if (n > LONGEST || m > LONGEST)
                return LONGEST;
        for (size_t i = 0; i <= n; i++)
                for (size_t j = 0; j <= m; j++) {
                        if (i == 0 || j == 0) {
                                d[i][j] = (unsigned)(i + j);
                                continue;
                        }
                        d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
                }
        return d[n][m];
}

void nearest_try(struct nearest *n, const char *candidate)
{
        size_t typed = strlen(n->word);
        unsigned d = distance(n->word, candidate);

        if (typed >= 2 && strncmp(n->word, candidate, typed) == 0)
                d = 1;
        if (d > 1 + typed / 3 || (n->best && d >= n->distance))
                return;
        n->best = candidate;
        n->distance = d;
}

void nearest_verb(const char *who, const char *verbs, const char *word)
{
        struct nearest nearest = { .word = word };
        char one[8][16], list[160] = "";
        size_t used = 0;

        for (size_t i = 0; *verbs && i < sizeof(one) / sizeof(one[0]); i++) {
                size_t n = strcspn(verbs, "|");

                (void)snprintf(one[i], sizeof(one[i]), "%.*s", (int)n, verbs);
                used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", one[i]);
                if (word)
                        nearest_try(&nearest, one[i]);
                verbs += n + (verbs[n] == '|');
        }
        if (!word)
                say_error("%s: needs one of %s; see: ipcway help %s", who, list, who);
        else if (nearest.best)
                say_error("%s: '%s' is none of %s; did you mean %s?", who, word, list, nearest.best);
        else
                say_error("%s: '%s' is none of %s; see: ipcway help %s", who, word, list, who);
}
