/* SPDX-License-Identifier: MIT */
/*
 * Times in ns, counted in classes: below 128 each has its own, above that 64 to every doubling, so that a class is at most 1/64 (1.6 %) wide. Always the same
 * size, whatever came: a tail of one in a million costs nothing and is not lost. What is longer than 73 minutes is counted in the last class.
 */
#pragma once

#include <stdint.h>

enum { BENCH_CLASSES = 64 * 37 };

struct bench_histogram {
        uint64_t count;
        uint64_t least, most; /* exact; 0 while count is 0 */
        double sum;
        uint64_t counts[BENCH_CLASSES];
};

void bench_histogram_add(struct bench_histogram *, uint64_t ns, uint64_t times);
void bench_histogram_merge(struct bench_histogram *, const struct bench_histogram *);

/* The smallest class that holds the `part`-th (0 to 1) of all, as the largest value in it, but never above `most`. Nothing counted: 0. */
uint64_t bench_histogram_at(const struct bench_histogram *, double part);
/* About where in its class that one is, if those in it are spread evenly: for ratios, which are finer than classes. */
double bench_histogram_near(const struct bench_histogram *, double part);

/* Of a value, and the values of a class. */
unsigned bench_class_of(uint64_t ns);
uint64_t bench_class_low(unsigned which);
uint64_t bench_class_high(unsigned which);
