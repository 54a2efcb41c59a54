/* SPDX-License-Identifier: MIT */
/*
 * Threads over one mapping, for ThreadSanitizer, which knows one process and one address only. Each thread has a view of its own, as a process would. It
 * checks order between threads, not what a processor may do to it: a release or an acquire that is missing is found on any machine.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
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
        bool lent; /* in place */
        _Atomic unsigned taken, finished;
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

static struct payload payload(unsigned from, unsigned number)
{
        return (struct payload){ from, number, { number, number, number, number, number, ~number } };
}

static size_t size_of(unsigned number)
{
        return sizeof(struct payload) - number % 3 * 4;
}

/* One span more than there are messages, which is left out; each is made as small as its message. */
static ssize_t put_lent(struct ring *r, unsigned from, unsigned first, unsigned n)
{
        struct ipw_span s[33];
        ssize_t got = ring_claim(r, sizeof(struct payload), s, n + 1);
        unsigned filled = 0;
        int error;

        if (got < 0)
                return got;
        for (ssize_t i = 0; i < got; i++) {
                struct payload p = payload(from, first + filled);

                if (got > 1 && i == got / 2) {
                        s[i].inside[1] = 1;
                        continue;
                }
                s[i].size = size_of(p.number);
                memcpy(s[i].data, &p, s[i].size);
                filled++;
        }
        error = ring_commit(r, s, (size_t)got);
        return error ? error : (ssize_t)filled;
}

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
                        p[i] = payload(me->number, done + i);
                        m[i] = (struct ipw_message){ .data = &p[i], .size = size_of(done + i) };
                }
                put = w->lent ? put_lent(&r, me->number, done, n) : ring_put(&r, m, n);
                if (put > 0)
                        done += (unsigned)put;
                else if (put == -EAGAIN || put == -EBUSY)
                        (void)sched_yield();
                else
                        errx(1, "ring_put: %zd", put);
        }
        atomic_fetch_add(&w->finished, 1);
        return NULL;
}

static void note(struct world *w, const struct payload *p, size_t size, unsigned *next)
{
        if (size != size_of(p->number) || p->from >= w->producers || p->number >= EACH || p->check[0] != p->number ||
            (p->number % 3 == 0 && p->check[5] != ~p->number))
                errx(1, "a message of %zu bytes is not what was sent", size);
        if (p->number < next[p->from])
                errx(1, "message %u of %u came after %u", p->number, p->from, next[p->from]);
        next[p->from] = p->number + 1;
        if (__atomic_exchange_n(&w->seen[p->from][p->number], 1, __ATOMIC_RELAXED))
                errx(1, "message %u of %u came twice", p->number, p->from);
        atomic_fetch_add(&w->taken, 1);
}

/* Half of what is borrowed is received, the rest comes again. */
static ssize_t take_lent(struct ring *r, struct payload *p, size_t *sizes, unsigned n)
{
        struct ipw_span s[32];
        ssize_t got = ring_borrow(r, s, n);
        int error;

        if (got < 0)
                return got;
        got = (got + 1) / 2;
        for (ssize_t i = 0; i < got; i++) {
                sizes[i] = s[i].size;
                memcpy(&p[i], s[i].data, MIN(s[i].size, sizeof(*p)));
        }
        error = ring_give_back(r, s, (size_t)got);
        return error ? error : got;
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
                size_t sizes[32];
                ssize_t got;

                for (unsigned i = 0; i < w->batch; i++)
                        m[i] = (struct ipw_message){ .data = &p[i], .capacity = sizeof(p[i]) };
                got = w->lent ? take_lent(&r, p, sizes, w->batch) : ring_take(&r, m, w->batch);
                for (ssize_t i = 0; i < got; i++)
                        note(w, &p[i], w->lent ? sizes[i] : m[i].size, next);
                if (got == -EAGAIN || got == -EBUSY)
                        (void)sched_yield();
                else if (got < 0)
                        errx(1, "ring_take: %zd", got);
        }
        return NULL;
}

/* Of a broadcast, everything from where it began. Whole: of all; else it comes and goes, and takes a little each time. */
static void listen_to_all(struct world *w, struct ring *r, unsigned enough)
{
        unsigned next[MOST] = { 0 }, got = 0;

        while (got < enough && !(atomic_load(&w->finished) == w->producers && !ring_has_message(r))) {
                struct payload p;
                struct ipw_message m = { .data = &p, .capacity = sizeof(p) };
                ssize_t n = ring_take(r, &m, 1);

                if (n == -EAGAIN) {
                        (void)sched_yield();
                        continue;
                }
                if (n != 1 || m.size != sizeof(p) - p.number % 3 * 4 || p.from >= w->producers || p.check[0] != p.number)
                        errx(1, "ring_take: %zd, and no message of ours", n);
                if (next[p.from] ? p.number != next[p.from] : enough == UINT_MAX && p.number)
                        errx(1, "message %u of %u came, and not %u", p.number, p.from, next[p.from]);
                next[p.from] = p.number + 1;
                got++;
        }
        for (unsigned i = 0; enough == UINT_MAX && i < w->producers; i++)
                if (next[i] != EACH)
                        errx(1, "%u messages of %u came", next[i], i);
}

static void *listen_from_the_start(void *argument)
{
        struct worker *me = argument;
        struct ring r;

        ring_use(&r, me->world->memory, &me->world->shape, 0, ring_owner(MOST + me->number, 1));
        listen_to_all(me->world, &r, UINT_MAX);
        return NULL;
}

static void *come_and_go(void *argument)
{
        struct worker *me = argument;
        struct world *w = me->world;
        uint32_t slot = MOST + me->number;
        struct ring r;

        while (atomic_load(&w->finished) < w->producers) {
                ring_join(w->memory, &w->shape, slot);
                ring_use(&r, w->memory, &w->shape, 0, ring_owner(slot, 1));
                listen_to_all(w, &r, 50);
                (void)clear_bits(&r.words->receivers, (uint64_t)1 << slot);
        }
        return NULL;
}

static struct world *world_new(unsigned producers, unsigned consumers, unsigned batch, bool lent, uint32_t flags, uint64_t capacity)
{
        struct world *w = calloc(1, sizeof(*w));
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
        w->lent = lent;
        return w;
}

static void world_free(struct world *w)
{
        free(w->memory);
        free(w);
}

static void run(unsigned producers, unsigned consumers, unsigned batch, bool lent, uint32_t flags, uint64_t capacity)
{
        struct world *w = world_new(producers, consumers, batch, lent, flags, capacity);
        struct worker workers[2 * MOST];

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
        printf("%u to %u, %u at once%s: all came\n", producers, consumers, batch, lent ? ", in place" : "");
        world_free(w);
}

/* The last of the consumers comes and goes. */
static void broadcast(unsigned producers, unsigned consumers, unsigned batch, bool lent, uint32_t flags, uint64_t capacity)
{
        struct world *w = world_new(producers, consumers, batch, lent, flags | IMAGE_BROADCAST, capacity);
        struct worker workers[2 * MOST];

        for (unsigned i = 0; i < consumers - 1; i++)
                ring_join(w->memory, &w->shape, MOST + i);
        for (unsigned i = 0; i < producers + consumers; i++) {
                void *(*work)(void *) = i < producers ? produce : i < producers + consumers - 1 ? listen_from_the_start : come_and_go;

                workers[i] = (struct worker){ w, i < producers ? i : i - producers, 0 };
                if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
                        errx(1, "pthread_create");
        }
        for (unsigned i = 0; i < producers + consumers; i++)
                (void)pthread_join(workers[i].thread, NULL);
        printf("%u to all %u, %u at once%s: all came\n", producers, consumers, batch, lent ? ", in place" : "");
        world_free(w);
}

int main(void)
{
        run(1, 1, 1, false, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER, 4096);
        run(1, 1, 32, false, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER, 5000);
        run(1, 1, 32, true, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER, 5000);
        run(1, 1, 1, false, 0, 4096);
        run(4, 1, 1, false, IMAGE_ONE_CONSUMER, 5000);
        run(1, 4, 1, false, IMAGE_ONE_PRODUCER, 4096);
        run(4, 4, 1, false, 0, 4096);
        run(4, 4, 1, true, 0, 4096);
        run(4, 4, 32, false, 0, 16384);
        run(4, 4, 32, true, 0, 16384);
        broadcast(1, 3, 1, false, IMAGE_ONE_PRODUCER, 4096);
        broadcast(2, 3, 32, false, 0, 5000);
        broadcast(2, 3, 32, true, 0, 5000);
        return 0;
}
