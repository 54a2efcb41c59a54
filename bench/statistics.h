/* SPDX-License-Identifier: MIT */
/* What a set of rounds says, whatever the shape of the noise: order statistics only. */
#pragma once

#include <stdlib.h>
#include <string.h>

enum { STATISTICS_MOST = 128 };

static inline int ascending(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static inline void sort(double *sorted, const double *values, unsigned n)
{
        memcpy(sorted, values, n * sizeof(*values));
        qsort(sorted, n, sizeof(*sorted), ascending);
}

static inline double median(const double *values, unsigned n)
{
        double sorted[STATISTICS_MOST];

        sort(sorted, values, n);
        return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* The k-th smallest and k-th largest of n hold the true median between them with 95 % if at most 2.5 % of n fair coins show fewer than k heads. */
static inline void interval(const double *values, unsigned n, double *low, double *high)
{
        double sorted[STATISTICS_MOST], chance = 1, below = 0;
        unsigned k = 0;

        for (unsigned i = 0; i < n; i++)
                chance /= 2;
        for (; k < n / 2 && below + chance <= 0.025; k++) {
                below += chance;
                chance *= (double)(n - k) / (k + 1);
        }
        sort(sorted, values, n);
        *low = sorted[k ? k - 1 : 0];
        *high = sorted[n - (k ? k : 1)];
}

/* Of the reference's rounds: did the machine change by more than a fifth from their first half to the second? Then the ratios mean nothing. */
static inline int has_drifted(const double *values, unsigned n)
{
        double drift = median(values, n / 2) / median(values + n - n / 2, n / 2);

        return drift > 1.2 || drift < 1 / 1.2;
}
