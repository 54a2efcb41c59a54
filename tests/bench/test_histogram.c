/* SPDX-License-Identifier: MIT */
/* The histogram against the sorted values themselves. */
#include "histogram.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static int ascending(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static uint64_t random_bits(void)
{
        static uint64_t state = 88172645463325252;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

static void test_classes(void **s)
{
        static const uint64_t some[] = { 0, 1, 127, 128, 129, 255, 256, 257, 1000, 1000000, 123456789, 1ull << 41, (1ull << 42) - 1 };

        for (unsigned i = 0; i + 1 < BENCH_CLASSES; i++) {
                assert_int_equal(bench_class_of(bench_class_low(i)), i);
                assert_int_equal(bench_class_of(bench_class_high(i)), i);
                assert_int_equal(bench_class_high(i) + 1, bench_class_low(i + 1));
                assert_true(bench_class_high(i) - bench_class_low(i) <= bench_class_low(i) / 64);
        }
        for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
                assert_true(bench_class_low(bench_class_of(some[i])) <= some[i]);
                assert_true(some[i] <= bench_class_high(bench_class_of(some[i])));
        }
        assert_int_equal(bench_class_of(UINT64_MAX), BENCH_CLASSES - 1);
}

static void test_against_sorted(void **s)
{
        static const double parts[] = { 0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };
        enum { N = 50000 };
        uint64_t *values = calloc(N, sizeof(*values));
        struct bench_histogram *h = calloc(2, sizeof(*h));

        for (unsigned shape = 0; shape < 4; shape++) {
                memset(h, 0, 2 * sizeof(*h));
                for (unsigned i = 0; i < N; i++) {
                        uint64_t bits = random_bits();

                        values[i] = shape == 0   ? bits % 100
                                    : shape == 1 ? bits % 1000000
                                    : shape == 2 ? bits >> (24 + bits % 38)
                                    : i % 1000   ? 700
                                                 : 50000000 + i;
                        bench_histogram_add(&h[i % 2], values[i], 1);
                }
                bench_histogram_merge(&h[0], &h[1]);
                qsort(values, N, sizeof(*values), ascending);
                assert_int_equal(h[0].count, N);
                assert_int_equal(h[0].least, values[0]);
                assert_int_equal(h[0].most, values[N - 1]);
                for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
                        double rank = parts[k] * N;
                        size_t at = rank > (double)(size_t)rank ? (size_t)rank + 1 : (size_t)rank;
                        uint64_t exact = values[at ? at - 1 : 0], got = bench_histogram_at(&h[0], parts[k]);

                        if (got < exact || got - exact > exact / 64)
                                fail_msg("shape %u, %g: %llu, not %llu", shape, parts[k], (unsigned long long)got,
                                         (unsigned long long)exact);
                        if (bench_histogram_near(&h[0], parts[k]) > (double)got + 1 ||
                            bench_histogram_near(&h[0], parts[k]) < (double)bench_class_low(bench_class_of(got)))
                                fail_msg("shape %u, %g: near %g, not %llu", shape, parts[k], bench_histogram_near(&h[0], parts[k]),
                                         (unsigned long long)exact);
                }
        }
        free(values);
        free(h);
}

/* Of a class from 1024 to 1040, evenly filled. */
static void test_within_a_class(void **s)
{
        struct bench_histogram *h = calloc(1, sizeof(*h));

        assert_true(bench_histogram_near(h, 0.5) == 0);
        for (uint64_t i = 1024; i < 1040; i++)
                bench_histogram_add(h, i, 1);
        assert_true(bench_histogram_near(h, 1) == 1039);
        bench_histogram_add(h, 2000, 1);
        assert_true(bench_histogram_near(h, 4. / 17) == 1027.75);
        assert_true(bench_histogram_near(h, 8. / 17) == 1031.5);
        assert_true(bench_histogram_near(h, 1) == 2000);
        free(h);
}

static void test_few(void **s)
{
        struct bench_histogram *h = calloc(2, sizeof(*h));

        assert_int_equal(bench_histogram_at(h, 0.5), 0);
        bench_histogram_merge(h, h + 1);
        assert_int_equal(h->count, 0);
        bench_histogram_add(h, 1000, 0);
        assert_int_equal(h->count, 0);
        bench_histogram_add(h, 1000, 3);
        assert_int_equal(bench_histogram_at(h, 0), 1000); /* of one value there is nothing to round */
        assert_int_equal(bench_histogram_at(h, 1), 1000);
        bench_histogram_add(h, UINT64_MAX, 1);
        assert_true(bench_histogram_at(h, 1) == UINT64_MAX);
        free(h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_against_sorted),
                cmocka_unit_test(test_within_a_class),
                cmocka_unit_test(test_few),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
