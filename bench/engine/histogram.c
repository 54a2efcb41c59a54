/* SPDX-License-Identifier: MIT */
/* See histogram.h. Class 64 * s + v has the values v << s to (v + 1 << s) - 1, where v is 64 to 127; with s = 0 v may be less, too. */
#include "histogram.h"

unsigned bench_class_of(uint64_t ns)
{
        unsigned shift = ns < 128 ? 0 : 57 - (unsigned)__builtin_clzll(ns);
        unsigned class = 64 * shift + (unsigned)(ns >> shift);

        return class < BENCH_CLASSES ? class : BENCH_CLASSES - 1;
}

uint64_t bench_class_low(unsigned class)
{
        unsigned shift = class < 128 ? 0 : class / 64 - 1;

        return (uint64_t)(class - 64 * shift) << shift;
}

uint64_t bench_class_high(unsigned class)
{
        return bench_class_low(class + 1) - 1;
}

void bench_histogram_add(struct bench_histogram *h, uint64_t ns, uint64_t times)
{
        if (!times)
                return;
        h->least = h->count && h->least < ns ? h->least : ns;
        h->most = h->most > ns ? h->most : ns;
        h->count += times;
        h->sum += (double)ns * (double)times;
        h->counts[bench_class_of(ns)] += times;
}

void bench_histogram_merge(struct bench_histogram *h, const struct bench_histogram *other)
{
        if (!other->count)
                return;
        h->least = h->count && h->least < other->least ? h->least : other->least;
        h->most = h->most > other->most ? h->most : other->most;
        h->count += other->count;
        h->sum += other->sum;
        for (unsigned i = 0; i < BENCH_CLASSES; i++)
                h->counts[i] += other->counts[i];
}

uint64_t bench_histogram_at(const struct bench_histogram *h, double part)
{
        uint64_t wanted = (uint64_t)(part * (double)h->count), seen = 0;

        if ((double)wanted < part * (double)h->count)
                wanted++; /* the first that has so many at or below it */
        wanted = wanted < 1 ? 1 : wanted > h->count ? h->count : wanted;
        for (unsigned i = 0; h->count && i < BENCH_CLASSES; i++) {
                seen += h->counts[i];
                if (seen >= wanted)
                        return i == BENCH_CLASSES - 1 || bench_class_high(i) > h->most ? h->most : bench_class_high(i);
        }
        return h->most;
}

double bench_histogram_near(const struct bench_histogram *h, double part)
{
        double wanted = part * (double)h->count, seen = 0;

        for (unsigned i = 0; i < BENCH_CLASSES - 1; i++) {
                double here = (double)h->counts[i], low = (double)bench_class_low(i), high = (double)bench_class_high(i);

                high = high > (double)h->most ? (double)h->most : high;
                if (here > 0 && seen + here >= wanted)
                        return low + (high - low) * (wanted - seen) / here;
                seen += here;
        }
        return (double)h->most;
}
