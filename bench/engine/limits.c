/* SPDX-License-Identifier: MIT */
/* The physical references: what the processor and the kernel need to hand bytes over, and nothing else. */
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "message.h"

/*
 * The bare hand-over of 64 bytes: the bytes, then a flag, on lines of their own for each direction; who waits looks at the flag with a pause in between. No queue,
 * nobody else, nothing that could go wrong is looked at: a ring cannot be faster. And the same to one who sleeps, by futex(2).
 */
struct place {
        union {
                _Atomic uint64_t flag; /* how many have been handed over */
                _Atomic uint32_t word;
        };
        char bytes[BENCH_LINE];
};

static void make(struct channel *c, const char *dir)
{
        (void)dir;
        if (c->size != BENCH_LINE)
                trouble("here it passes %d bytes", BENCH_LINE);
        c->peer[0] = bench_memory(sizeof(struct place));
        c->peer[1] = bench_memory(sizeof(struct place));
}

static void put_handover(struct channel *c, uint64_t number, size_t n)
{
        struct place *p = c->peer[1];

        bench_mark(c->out_buffer, BENCH_LINE, number);
        memcpy(p->bytes, c->out_buffer, BENCH_LINE);
        atomic_store_explicit(&p->flag, atomic_load_explicit(&p->flag, memory_order_relaxed) + n, memory_order_release);
}

static size_t take_handover(struct channel *c, uint64_t *number, size_t n)
{
        struct place *p = c->peer[0];

        while (atomic_load_explicit(&p->flag, memory_order_acquire) == c->seen)
                bench_pause();
        memcpy(c->in_buffer, p->bytes, BENCH_LINE);
        c->seen++;
        *number = bench_marked(c->in_buffer, BENCH_LINE);
        return n;
}

static void put_futex(struct channel *c, uint64_t number, size_t n)
{
        struct place *p = c->peer[1];

        bench_mark(c->out_buffer, BENCH_LINE, number);
        memcpy(p->bytes, c->out_buffer, BENCH_LINE);
        atomic_store_explicit(&p->word, atomic_load_explicit(&p->word, memory_order_relaxed) + (uint32_t)n, memory_order_release);
        (void)syscall(SYS_futex, &p->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static size_t take_futex(struct channel *c, uint64_t *number, size_t n)
{
        struct place *p = c->peer[0];

        while (atomic_load_explicit(&p->word, memory_order_acquire) == (uint32_t)c->seen)
                (void)syscall(SYS_futex, &p->word, FUTEX_WAIT, (uint32_t)c->seen, NULL, NULL, 0);
        memcpy(c->in_buffer, p->bytes, BENCH_LINE);
        c->seen++;
        *number = bench_marked(c->in_buffer, BENCH_LINE);
        return n;
}

const struct bench_way bench_handover = { .make = make,
                                          .join = bench_take_sides,
                                          .put = put_handover,
                                          .take = take_handover,
                                          .pair_only = 1,
                                          .no_loop = 1,
                                          .no_sleep = 1,
                                          .most = BENCH_LINE };
const struct bench_way bench_futex = {
        .make = make, .join = bench_take_sides, .put = put_futex, .take = take_futex, .pair_only = 1, .most = BENCH_LINE
};

/* ---- bytes, copied into shared memory and out of it: no ring that copies can be faster ------------------------------------------------------- */

enum { PLACES = 8, LOOKS = 1000 };

struct places {
        _Alignas(128) _Atomic uint64_t filled;
        _Alignas(128) _Atomic uint64_t emptied;
        _Alignas(128) char bytes[];
};

static void make_places(struct channel *c, const char *dir)
{
        (void)dir;
        c->peer[0] = bench_memory(sizeof(struct places) + PLACES * c->size);
}

static void join_places(struct channel *c, int process)
{
        (void)c;
        (void)process;
}

static char *place(const struct channel *c, uint64_t number)
{
        return ((struct places *)c->peer[0])->bytes + number % PLACES * c->size;
}

/* Both look again and again; where they share a processor, they let each other have it. */
static void wait_for(const _Atomic uint64_t *counter, uint64_t other_than)
{
        for (unsigned looks = 1; atomic_load_explicit(counter, memory_order_acquire) == other_than; looks++)
                if (looks % LOOKS)
                        bench_pause();
                else
                        (void)sched_yield();
}

static void put_copy(struct channel *c, uint64_t number, size_t n)
{
        struct places *p = c->peer[0];

        for (size_t i = 0; i < n; i++) {
                uint64_t filled = atomic_load_explicit(&p->filled, memory_order_relaxed);

                bench_fill(c, c->out_buffer, number + i);
                if (filled >= PLACES)
                        wait_for(&p->emptied, filled - PLACES);
                memcpy(place(c, filled), c->out_buffer, c->size);
                atomic_store_explicit(&p->filled, filled + 1, memory_order_release);
        }
}

static size_t take_copy(struct channel *c, uint64_t *numbers, size_t n)
{
        struct places *p = c->peer[0];
        uint64_t emptied = atomic_load_explicit(&p->emptied, memory_order_relaxed);

        if (n == 0)
                return 0;
        wait_for(&p->filled, emptied);
        memcpy(c->in_buffer, place(c, emptied), c->size);
        atomic_store_explicit(&p->emptied, emptied + 1, memory_order_release);
        numbers[0] = bench_check(c, c->in_buffer);
        return 1;
}

const struct bench_way bench_copy = {
        .make = make_places, .join = join_places, .put = put_copy, .take = take_copy, .pair_only = 1, .no_loop = 1, .no_sleep = 1
};

/* ---- how fast bytes can be copied at all: by one process, from one place to another ----------------------------------------------------------- */

static void make_target(struct channel *c, const char *dir)
{
        (void)dir;
        c->peer[0] = bench_memory(c->size);
}

static void join_target(struct channel *c, int process)
{
        (void)process;
        memset(c->peer[0], 1, c->size);
}

static void put_memcpy(struct channel *c, uint64_t number, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                bench_mark(c->out_buffer, c->size, number + i);
                memcpy(c->peer[0], c->out_buffer, c->size);
                (void)bench_marked(c->peer[0], c->size);
        }
}

const struct bench_way bench_memcpy = { .make = make_target, .join = join_target, .put = put_memcpy, .no_loop = 1, .no_sleep = 1 };
