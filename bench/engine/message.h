/* SPDX-License-Identifier: MIT */
/*
 * Messages of rings, where a nanosecond counts: made and read in line, where they lie. The number stands in the first word and in the last, so that one that is torn, lost,
 * doubled or out of order is seen. Of a whole one a program writes and reads every byte: that is what copying it is compared with.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "way.h"

enum { BENCH_LINE = 64 };

/* Between two looks at memory that another is about to store into. */
static inline void bench_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* Of two places, there and back, what this process receives from comes first. */
static inline void bench_take_sides(struct channel *c, int process)
{
        void *there = c->peer[0], *back = c->peer[1];
        int sends = (unsigned)process < c->producers;

        c->peer[0] = sends ? back : there;
        c->peer[1] = sends ? there : back;
}

/*
 * It is made before it is sent, as by a program that calls another: a compiler that mixes the two, where both are in line, makes the processor wait for each of the
 * words in turn before it can copy them.
 */
static inline void bench_mark(void *to, size_t size, uint64_t number)
{
        uint64_t *words = (uint64_t *)to;

        words[0] = words[size / 8 - 1] = number;
        __asm__ volatile("" : : "r"(to) : "memory");
}

static inline uint64_t bench_marked(const void *from, size_t size)
{
        const uint64_t *words = (const uint64_t *)from;

        if (__builtin_expect(words[0] != words[size / 8 - 1], 0))
                trouble("a message is not as it was sent: it begins with %llx", (unsigned long long)words[0]);
        return words[0];
}

static inline void bench_mark_whole(void *to, size_t size, uint64_t number)
{
        uint64_t *words = (uint64_t *)to;

        if (size > BENCH_LINE)
                memset(to, (int)(number & 0x7f), size);
        for (size_t i = 1; size == BENCH_LINE && i < BENCH_LINE / 8 - 1; i++)
                words[i] = number;
        bench_mark(to, size, number);
}

typedef uint64_t bench_words __attribute__((vector_size(32), aligned(8)));

static inline uint64_t bench_sum(const void *from, size_t words)
{
        const bench_words *at = (const bench_words *)from;
        bench_words a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

        for (size_t i = 0; i < words / 16; i++, at += 4)
                a += at[0], b += at[1], c += at[2], d += at[3];
        a += b + c + d;
        return a[0] + a[1] + a[2] + a[3];
}

static inline uint64_t bench_marked_whole(const void *from, size_t size)
{
        const uint64_t *words = (const uint64_t *)from;
        uint64_t number = bench_marked(from, size), wrong = 0;

        for (size_t i = 1; size == BENCH_LINE && i < BENCH_LINE / 8 - 1; i++)
                wrong |= words[i] ^ number;
        if (size > BENCH_LINE)
                wrong |= bench_sum(from, size / 8) ^ ((size / 8 - 2) * ((number & 0x7f) * 0x0101010101010101) + 2 * number);
        if (__builtin_expect(wrong != 0, 0))
                trouble("a message is not as it was sent: it begins with %llx", (unsigned long long)number);
        return number;
}
