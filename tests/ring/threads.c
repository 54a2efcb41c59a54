/* SPDX-License-Identifier: MIT */
/*
 * Threads over one mapping, for ThreadSanitizer, which knows one process and one address only. Each thread has a view of its own, as a process would. It
 * checks order between threads, not what a processor may do to it: a release or an acquire that is missing is found on any machine.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "ring.h"

enum { MOST = 4, EACH = 20000 };

struct world {
        void *memory;
        struct ring_shape shape;
        unsigned producers, consumers, batch;
        _Atomic unsigned taken;
        unsigned char seen[MOST][EACH];
};
struct worker {
        struct world *world;
        unsigned number;
        pthread_t thread;
};
struct payload {
        unsigned from, number, check[6];
};

static void *produce(void *argument)
{
        struct worker *me = argument;
        struct world *w = me->world;
        struct ring r;

        ring_use(&r, w->memory, &w->shape, 0, ring_owner(me->number, 1));
        for (unsigned done = 0; done < EACH;) {
                struct payload p[32] = { 0 };
                struct ipw_message m[32] = { 0 };
                unsigned n = MIN(w->batch, EACH - done);
                ssize_t put;

                for (unsigned i = 0; i < n; i++) {
                        p[i] = (struct payload){ me->number, done + i, { done + i, done + i, done + i, done + i, done + i, ~(done + i) } };
                        m[i] = (struct ipw_message){ .data = &p[i], .size = sizeof(p[i]) - (done + i) % 3 * 4 };
                }
                put = ring_put(&r, m, n);
                if (put > 0)
                        done += (unsigned)put;
                else if (put == -EAGAIN || put == -EBUSY)
                        (void)sched_yield();
                else
                        errx(1, "ring_put: %zd", put);
        }
        return NULL;
}

static void note(struct world *w, const struct payload *p, size_t size, unsigned *next)
{
        if (size != sizeof(*p) - p->number % 3 * 4 || p->from >= w->producers || p->number >= EACH || p->check[0] != p->number ||
            (p->number % 3 == 0 && p->check[5] != ~p->number))
                errx(1, "a message of %zu bytes is not what was sent", size);
        if (p->number < next[p->from])
                errx(1, "message %u of %u came after %u", p->number, p->from, next[p->from]);
        next[p->from] = p->number + 1;
        if (__atomic_exchange_n(&w->seen[p->from][p->number], 1, __ATOMIC_RELAXED))
                errx(1, "message %u of %u came twice", p->number, p->from);
        atomic_fetch_add(&w->taken, 1);
}

static void *consume(void *argument)
{
        struct worker *me = argument;
        struct world *w = me->world;
        unsigned next[MOST] = { 0 };
        struct ring r;

        ring_use(&r, w->memory, &w->shape, 0, ring_owner(MOST + me->number, 1));
        while (atomic_load(&w->taken) < w->producers * EACH) {
                struct payload p[32];
                struct ipw_message m[32] = { 0 };
                ssize_t got;

                for (unsigned i = 0; i < w->batch; i++)
                        m[i] = (struct ipw_message){ .data = &p[i], .capacity = sizeof(p[i]) };
                got = ring_take(&r, m, w->batch);
                for (ssize_t i = 0; i < got; i++)
                        note(w, &p[i], m[i].size, next);
                if (got == -EAGAIN || got == -EBUSY)
                        (void)sched_yield();
                else if (got < 0)
                        errx(1, "ring_take: %zd", got);
        }
        return NULL;
}

static void run(unsigned producers, unsigned consumers, unsigned batch, uint32_t flags, uint64_t capacity)
{
        struct world *w = calloc(1, sizeof(*w));
        struct worker workers[2 * MOST];
        const unsigned char boot[16] = { 0 };

        if (!w)
                err(1, "calloc");
        ring_plan(&w->shape, flags, 2 * MOST, capacity);
        w->memory = aligned_alloc(IMAGE_PAGE, w->shape.size);
        if (!w->memory)
                err(1, "aligned_alloc");
        memset(w->memory, 0, w->shape.size);
        ring_format(w->memory, &w->shape, boot, 0, 0);
        w->producers = producers;
        w->consumers = consumers;
        w->batch = batch;
        for (unsigned i = 0; i < producers + consumers; i++) {
                workers[i] = (struct worker){ w, i < producers ? i : i - producers, 0 };
                if (pthread_create(&workers[i].thread, NULL, i < producers ? produce : consume, &workers[i]))
                        errx(1, "pthread_create");
        }
        for (unsigned i = 0; i < producers + consumers; i++)
                (void)pthread_join(workers[i].thread, NULL);
        for (unsigned i = 0; i < producers; i++)
                if (memchr(w->seen[i], 0, EACH))
                        errx(1, "a message of producer %u never came", i);
        printf("%u to %u, %u at once: all came\n", producers, consumers, batch);
        free(w->memory);
        free(w);
}

int main(void)
{
        run(1, 1, 1, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER, 4096);
        run(1, 1, 32, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER, 5000);
        run(1, 1, 1, 0, 4096);
        run(4, 1, 1, IMAGE_ONE_CONSUMER, 5000);
        run(1, 4, 1, IMAGE_ONE_PRODUCER, 4096);
        run(4, 4, 1, 0, 4096);
        run(4, 4, 32, 0, 16384);
        return 0;
}
