/* SPDX-License-Identifier: MIT */
/*
 * The physical references of limits/, as ways: what the processor and the kernel need to hand 64 bytes over, and nothing else. They know messages of one size, and fill
 * and check them themselves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rings.h"
#include "way.h"

void *shared_memory(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (p == MAP_FAILED)
                trouble("%zu bytes of memory: %s", size, strerror(errno));
        return p;
}

static void make_by(struct channel *c, const struct way *way)
{
        if (c->size != SMALL)
                trouble("it is of %d bytes", SMALL);
        for (int i = 0; i < 2; i++) {
                struct lane *l = calloc(1, sizeof(*l));

                if (!l)
                        trouble("no memory");
                *l = (struct lane){ .way = way, .size = c->size, .batch = 1, .patience = -1, .buffer = aligned_alloc(128, 128) };
                if (!l->buffer)
                        trouble("no memory");
                memset(l->buffer, 0, 128);
                way->make(l);
                c->peer[i] = l;
        }
}

static void make_handover(struct channel *c, const char *dir)
{
        (void)dir;
        make_by(c, &limit_handover);
}

static void make_futex(struct channel *c, const char *dir)
{
        (void)dir;
        make_by(c, &limit_futex);
}

/* From here on what is received from comes first. */
static void join(struct channel *c, int process)
{
        struct lane *there = c->peer[0], *back = c->peer[1];

        c->peer[0] = process ? there : back;
        c->peer[1] = process ? back : there;
        there->way->join(there, !process);
        back->way->join(back, process);
}

static void put(struct channel *c, uint64_t number, size_t n)
{
        struct lane *l = c->peer[1];

        for (size_t i = 0; i < n; i++)
                l->way->send(l, number + i, 1);
}

static size_t take(struct channel *c, uint64_t *numbers, size_t n)
{
        struct lane *l = c->peer[0];

        (void)n;
        return l->way->recv(l, numbers);
}

const struct bench_way bench_handover = {
        .make = make_handover, .join = join, .put = put, .take = take, .pair_only = 1, .no_loop = 1, .no_sleep = 1, .most = SMALL
};
const struct bench_way bench_futex = { .make = make_futex, .join = join, .put = put, .take = take, .pair_only = 1, .most = SMALL };
