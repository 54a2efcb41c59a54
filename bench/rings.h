/* SPDX-License-Identifier: MIT */
/*
 * Rings against what bounds them. See stage.c for how, rings.c for what.
 *
 * A `way` carries numbered messages in one direction: the library's (ring_ours.c), another library's or a bare one (limits/). Each message holds its number in
 * its first and its last word, so that one that is torn, lost, doubled or out of order is seen, and every one is checked, alike in all ways.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SMALL = 64, LARGE = 1 << 20, BATCH_MOST = 64, PROCESSES = 8 };

struct way;

/* One direction of a way, as one process sees it. */
struct lane {
        const struct way *way;
        const char *options; /* ours: what the address asks for */
        size_t size;         /* of a message */
        unsigned batch;      /* messages at once */
        int64_t patience;    /* of a receive, ns; 0: look again and again; -1: endless */
        int whole;           /* every byte of it is written and read by the program, not only the numbers */
        int broadcast;       /* ours: each receiver gets all */
        char name[64];
        void *memory, *link; /* the way's own */
        char *buffer;        /* for `batch` messages */
};

struct way {
        void (*make)(struct lane *);             /* before the processes are forked */
        void (*join)(struct lane *, int sender); /* in each that uses it */
        void (*send)(struct lane *, uint64_t number, unsigned n);
        /* The numbers of those that came, at most lane->batch; 0: none within l->patience. */
        unsigned (*recv)(struct lane *, uint64_t *numbers);
        void (*unmake)(struct lane *); /* at the end, however it came; NULL: nothing to do */
};

extern const struct way our_ring, our_lent_ring;
extern const struct way limit_handover, limit_futex, limit_memcpy;
extern const struct way limit_ck, limit_boost; /* where they are installed */

enum shape { LATENCY, THROUGHPUT, IDLE };

/* One of the two that are compared. */
struct party {
        const struct way *way;
        const char *options;
        unsigned batch, producers, consumers; /* 0: 1 */
        int polling, whole, broadcast;
};

struct row {
        const char *name;
        struct party limit, ours; /* limit.way NULL: what it needs is not installed */
        enum shape shape;
        int one_cpu;
        size_t size;  /* 0: SMALL */
        double bar;   /* LATENCY: at most so many times as long; THROUGHPUT: at least so many times as fast */
        double bar99; /* LATENCY: of the 99th of 100; 0: none */
};

struct plan {
        unsigned rounds;
        double half_ms; /* how long one half of a round takes, about */
        double idle_ms;
        int cpus[2];
};

struct result {
        double limit_ns, our_ns, ratio, low, high;
        const char *verdict; /* "holds", "short", "void: ..." */
};

/* 0 and one result, two where there is bar99; -1: a process failed or hung, and has said why on stderr. IDLE: switches and CPU time of a second. */
int measure_row(const struct row *, const struct plan *, struct result[2]);

void trouble(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Zeroed memory that all processes share, on lines of its own. */
void *shared_memory(size_t size);
int64_t now(void);

static inline void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* A program that makes its message, and one that uses it: the numbers only, or all of it. */
static inline void fill(const struct lane *l, void *to, uint64_t number)
{
        uint64_t *words = (uint64_t *)to;

        if (l->whole && l->size > SMALL)
                memset(to, (int)(number & 0x7f), l->size);
        for (size_t i = 1; l->whole && l->size == SMALL && i < SMALL / 8 - 1; i++)
                words[i] = number;
        words[0] = words[l->size / 8 - 1] = number;
}

typedef uint64_t lanes_of_sum __attribute__((vector_size(32), aligned(8)));

static inline uint64_t sum(const void *from, size_t words)
{
        const lanes_of_sum *at = (const lanes_of_sum *)from;
        lanes_of_sum a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

        for (size_t i = 0; i < words / 16; i++, at += 4)
                a += at[0], b += at[1], c += at[2], d += at[3];
        a += b + c + d;
        return a[0] + a[1] + a[2] + a[3];
}

static inline uint64_t use(const struct lane *l, const void *from)
{
        const uint64_t *words = (const uint64_t *)from;
        uint64_t number = words[0], wrong = words[l->size / 8 - 1] ^ number;

        for (size_t i = 1; l->whole && l->size == SMALL && i < SMALL / 8 - 1; i++)
                wrong |= words[i] ^ number;
        if (l->whole && l->size > SMALL)
                wrong |= sum(from, l->size / 8) ^ ((l->size / 8 - 2) * ((number & 0x7f) * 0x0101010101010101) + 2 * number);
        if (__builtin_expect(wrong != 0, 0))
                trouble("a message is not as it was sent: it begins with %llx", (unsigned long long)number);
        return number;
}
