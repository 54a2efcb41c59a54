/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's ring of entries of one size, one producer and one consumer, in shared memory. It has no way to sleep: both look again. */
#include <ck_ring.h>

#include "message.h"
#include "module.h"

enum { ENTRIES = 16384 };

struct entry {
        char bytes[BENCH_LINE];
};
CK_RING_PROTOTYPE(entry, entry)

struct place {
        _Alignas(128) ck_ring_t ring;
        _Alignas(128) struct entry entries[ENTRIES];
};

static void make(struct channel *c, const char *dir)
{
        (void)dir;
        if (c->size != BENCH_LINE)
                trouble("here it passes %d bytes", BENCH_LINE);
        for (int i = 0; i <= c->back; i++) {
                struct place *p = c->peer[i] = bench_memory(sizeof(*p));

                ck_ring_init(&p->ring, ENTRIES);
        }
}

static void put(struct channel *c, uint64_t number, size_t n)
{
        struct place *p = c->peer[1];

        for (size_t i = 0; i < n; i++) {
                bench_mark(c->out_buffer, BENCH_LINE, number + i);
                while (!ck_ring_enqueue_spsc_entry(&p->ring, p->entries, (struct entry *)c->out_buffer))
                        ck_pr_stall();
        }
}

static size_t take(struct channel *c, uint64_t *number, size_t n)
{
        struct place *p = c->peer[0];

        if (n == 0)
                return 0;
        while (!ck_ring_dequeue_spsc_entry(&p->ring, p->entries, (struct entry *)c->in_buffer))
                ck_pr_stall();
        *number = bench_marked(c->in_buffer, BENCH_LINE);
        return 1;
}

extern const struct bench_way peer_ck;
const struct bench_way peer_ck = {
        .make = make, .join = bench_take_sides, .put = put, .take = take, .pair_only = 1, .no_loop = 1, .no_sleep = 1, .most = BENCH_LINE
};

BENCH_OFFERS({ "shm", "Concurrency Kit: ck_ring of 1 MiB, always polling", &peer_ck })
