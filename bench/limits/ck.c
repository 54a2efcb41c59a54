/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's ring of entries of one size, one producer and one consumer, in shared memory. It has no way to sleep: both look again. */
#include <ck_ring.h>

#include "rings.h"

enum { ENTRIES = 16384 };

struct entry {
        char bytes[SMALL];
};
CK_RING_PROTOTYPE(entry, entry)

struct place {
        _Alignas(128) ck_ring_t ring;
        _Alignas(128) struct entry entries[ENTRIES];
};

static void make(struct lane *l)
{
        struct place *p = l->memory = shared_memory(sizeof(*p));

        ck_ring_init(&p->ring, ENTRIES);
}

static void join(struct lane *l, int sender)
{
        (void)l;
        (void)sender;
}

static void send_one(struct lane *l, uint64_t number, unsigned n)
{
        struct place *p = l->memory;

        (void)n;
        fill(l, l->buffer, number);
        while (!ck_ring_enqueue_spsc_entry(&p->ring, p->entries, (struct entry *)l->buffer))
                ck_pr_stall();
}

static unsigned recv_one(struct lane *l, uint64_t *number)
{
        struct place *p = l->memory;

        while (!ck_ring_dequeue_spsc_entry(&p->ring, p->entries, (struct entry *)l->buffer))
                ck_pr_stall();
        *number = use(l, l->buffer);
        return 1;
}

const struct way limit_ck = { .make = make, .join = join, .send = send_one, .recv = recv_one };
