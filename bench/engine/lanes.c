/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *shared_memory(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (p == MAP_FAILED)
                trouble("%zu bytes of memory: %s", size, strerror(errno));
        return p;
}

void lanes_make(struct channel *c, const struct way *way)
{
        if (c->size != SMALL)
                trouble("here it passes %d bytes", SMALL);
        for (int i = 0; i < 2; i++) {
                struct lane *l = calloc(1, sizeof(*l));
                char *buffer = aligned_alloc(128, 128);

                if (!l || !buffer)
                        trouble("no memory");
                memset(buffer, 0, 128);
                *l = (struct lane){ .way = way, .size = SMALL, .batch = 1, .patience = -1, .buffer = buffer };
                (void)snprintf(l->name, sizeof(l->name), "ipcway-bench-%d-%d", (int)getpid(), i);
                c->peer[i] = l;
                way->make(l);
        }
}

/* From here on what is received from comes first. */
void lanes_join(struct channel *c, int process)
{
        int sends = (unsigned)process < c->producers;
        struct lane *there = c->peer[0], *back = c->peer[1];

        there->way->join(there, sends);
        if (c->back)
                back->way->join(back, !sends);
        c->peer[0] = sends ? back : there;
        c->peer[1] = sends ? there : back;
}

void lanes_put(struct channel *c, uint64_t number, size_t n)
{
        struct lane *l = c->peer[1];

        for (size_t i = 0; i < n; i++)
                l->way->send(l, number + i, 1);
}

size_t lanes_take(struct channel *c, uint64_t *numbers, size_t n)
{
        struct lane *l = c->peer[0];

        return n ? l->way->recv(l, numbers) : 0;
}

void lanes_unmake(struct channel *c)
{
        for (int i = 0; i < 2; i++) {
                struct lane *l = c->peer[i];

                if (l && l->way->unmake)
                        l->way->unmake(l);
        }
}
