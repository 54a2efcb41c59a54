/* SPDX-License-Identifier: MIT */
/* The physical references: what the processor and the kernel need to hand 64 bytes over, and nothing else. */
#include "engine.h"
#include "lanes.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static void make_handover(struct channel *c, const char *dir)
{
        (void)dir;
        lanes_make(c, &limit_handover);
}

static void make_futex(struct channel *c, const char *dir)
{
        (void)dir;
        lanes_make(c, &limit_futex);
}

const struct bench_way bench_handover = { .make = make_handover,
                                          .join = lanes_join,
                                          .put = lanes_put,
                                          .take = lanes_take,
                                          .pair_only = 1,
                                          .no_loop = 1,
                                          .no_sleep = 1,
                                          .most = SMALL };
const struct bench_way bench_futex = {
        .make = make_futex, .join = lanes_join, .put = lanes_put, .take = lanes_take, .pair_only = 1, .most = SMALL
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
        c->peer[0] = shared_memory(sizeof(struct places) + PLACES * c->size);
}

static void join_places(struct channel *c, int process)
{
        (void)process;
        c->messages = malloc(c->size);
        if (!c->messages)
                trouble("no memory");
        memset(c->messages, '@', c->size);
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
                        pause_processor();
                else
                        (void)sched_yield();
}

static void put_copy(struct channel *c, uint64_t number, size_t n)
{
        struct places *p = c->peer[0];

        for (size_t i = 0; i < n; i++) {
                uint64_t filled = atomic_load_explicit(&p->filled, memory_order_relaxed);

                bench_fill(c, c->messages, number + i);
                if (filled >= PLACES)
                        wait_for(&p->emptied, filled - PLACES);
                memcpy(place(c, filled), c->messages, c->size);
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
        memcpy(c->messages, place(c, emptied), c->size);
        atomic_store_explicit(&p->emptied, emptied + 1, memory_order_release);
        numbers[0] = bench_check(c, c->messages);
        return 1;
}

const struct bench_way bench_copy = {
        .make = make_places, .join = join_places, .put = put_copy, .take = take_copy, .pair_only = 1, .no_loop = 1, .no_sleep = 1
};
