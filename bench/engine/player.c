/* SPDX-License-Identifier: MIT */
/*
 * What a process of a cell does: it sends, receives, or answers, as often as it is told to. All wait for each other in shared memory before the time begins; it ends with
 * the last message received.
 *
 * At a fixed rate every message has a time at which it is due, whatever became of those before it. A sender that is late does not wait and does not skip, and a latency
 * is counted from when the message was due, not from when somebody found the time to send it: what a pause of 50 ms costs all who come in it is seen, and not the
 * first alone (coordinated omission). The receiver knows from its number when a message was due.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

enum { SPOTS = 64, CLOCK_CALLS = 16 };
static const uint64_t odd = 0x9e3779b97f4a7c15;

static int64_t real_now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void real_sleep_until(int64_t when)
{
        const struct timespec t = { .tv_sec = when / 1000000000, .tv_nsec = when % 1000000000 };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

static const struct bench_clock real_clock = { real_now, real_sleep_until, 80000 };
const struct bench_clock *bench_clock = &real_clock;

static void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* ---- messages ---------------------------------------------------------------------------------------------------------------------------- */

/* Six bits to a byte, none of which is a newline. */
static uint64_t as_text(uint64_t number)
{
        uint64_t w = 0x4040404040404040;

        for (unsigned i = 0; i < 8; i++)
                w |= (number >> 6 * i & 63) << 8 * i;
        return w;
}

static uint64_t of_text(uint64_t w)
{
        uint64_t number = 0;

        for (unsigned i = 0; i < 8; i++)
                number |= (w >> 8 * i & 63) << 6 * i;
        return number;
}

static uint64_t word(const struct channel *c, uint64_t first, uint64_t at)
{
        unsigned turn = 8 * (at & 7);

        return !c->text ? first + at * odd : turn ? first << turn | first >> (64 - turn) : first;
}

/* Of a large message 64 words are the number's, spread over all of it, and others in each message. */
static uint64_t spot(uint64_t number, uint64_t words, uint64_t i)
{
        return words <= SPOTS ? i : i * (words / SPOTS) + number % (words / SPOTS);
}

void bench_fill(const struct channel *c, char *message, uint64_t number)
{
        uint64_t first = c->text ? as_text(number) : number, words = c->size / 8, w;

        for (uint64_t i = 0; i < (words < SPOTS ? words : SPOTS); i++) {
                uint64_t at = spot(number, words, i);

                w = word(c, first, at);
                memcpy(message + 8 * at, &w, 8);
        }
        memcpy(message, &first, 8);
}

uint64_t bench_check(const struct channel *c, const char *message)
{
        uint64_t first, words = c->size / 8, number, w, wrong = 0;

        memcpy(&first, message, 8);
        number = c->text ? of_text(first) : first;
        for (uint64_t i = 0; i < (words < SPOTS ? words : SPOTS); i++) {
                uint64_t at = spot(number, words, i);

                memcpy(&w, message + 8 * at, 8);
                wrong |= at ? w ^ word(c, first, at) : 0;
        }
        if (wrong || (c->text && as_text(number) != first))
                trouble("a message is not as it was sent: it begins with %016llx", (unsigned long long)first);
        return number;
}

struct player {
        struct bench_play *play;
        struct channel *c;
        struct bench_shared *shared;
        unsigned me;
        char *buffer;
        int alone;    /* on its processor: it may look again and again without being in the way of who receives */
        int64_t spun; /* ns in which a sender waited for the time to come */
};

static void give(struct player *p, uint64_t number, size_t n)
{
        if (p->c->way->put) {
                p->c->way->put(p->c, number, n);
                return;
        }
        for (size_t i = 0; i < n; i++)
                bench_fill(p->c, p->buffer + i * p->c->size, number + i);
        p->c->way->send(p->c, p->buffer, n);
}

static size_t get(struct player *p, uint64_t *numbers, size_t n)
{
        if (p->c->way->take)
                return p->c->way->take(p->c, numbers, n);
        n = p->c->way->recv(p->c, p->buffer, n);
        for (size_t i = 0; i < n; i++)
                numbers[i] = bench_check(p->c, p->buffer + i * p->c->size);
        return n;
}

static uint64_t get_one(struct player *p)
{
        uint64_t number;

        while (get(p, &number, 1) == 0)
                ;
        return number;
}

/* ---- there and back ------------------------------------------------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* Two looks at the clock in a row. */
static int64_t clock_cost(void)
{
        int64_t bare[101], before = bench_clock->now(), after;

        for (size_t i = 0; i < 101; i++, before = after)
                bare[i] = (after = bench_clock->now()) - before;
        qsort(bare, 101, sizeof(bare[0]), ascending);
        return bare[50];
}

static void ping(struct player *p, uint64_t count, struct bench_report *r)
{
        struct bench_histogram *h = &p->shared->latencies[p->me];
        int64_t cost = clock_cost(), before, after;

        r->start = before = bench_clock->now();
        for (uint64_t i = 0; i < count; i++, before = after) {
                uint64_t back;

                give(p, i, 1);
                back = get_one(p);
                if (back != i)
                        trouble("message %llu came instead of %llu", (unsigned long long)back, (unsigned long long)i);
                after = bench_clock->now();
                bench_histogram_add(h, after - before > cost ? (uint64_t)(after - before - cost) / 2 : 0, 1);
        }
        r->end = before;
        r->count = count;
}

static void pong(struct player *p, uint64_t count)
{
        for (uint64_t i = 0; i < count; i++)
                give(p, get_one(p), 1);
}

/* ---- one way ------------------------------------------------------------------------------------------------------------------------------- */

/* A number says whose message it is, and which. */
static uint64_t number_of(unsigned producer, uint64_t i)
{
        return (uint64_t)producer << 40 | i;
}

static uint64_t share_of(const struct channel *c, const struct bench_order *o)
{
        return o->count / c->producers;
}

/* Senders take turns at the rate. */
static int64_t due(const struct player *p, const struct bench_order *o, unsigned producer, uint64_t i)
{
        return atomic_load(&p->shared->start) + (int64_t)((double)(i * p->c->producers + producer) * 1e9 / o->rate);
}

static void wait_until(struct player *p, int64_t when)
{
        int64_t now = bench_clock->now(), margin = p->alone ? bench_clock->margin : 0;

        if (p->c->wait != BENCH_POLLING && when - now > margin) {
                bench_clock->sleep_until(when - margin);
                now = bench_clock->now();
        }
        p->spun -= now;
        for (; now < when; now = bench_clock->now())
                pause_processor();
        p->spun += now;
}

static void produce(struct player *p, const struct bench_order *o)
{
        uint64_t count = share_of(p->c, o);

        if (o->rate > 0)
                for (uint64_t i = 0; i < count; i++) {
                        wait_until(p, due(p, o, p->me, i));
                        give(p, number_of(p->me, i), 1);
                }
        else
                for (uint64_t i = 0; i < count; i += p->c->batch)
                        give(p, number_of(p->me, i), p->c->batch < count - i ? p->c->batch : (size_t)(count - i));
        atomic_fetch_add(&p->shared->done, 1);
}

static uint64_t taken_by_all(struct bench_shared *shared)
{
        uint64_t all = 0;

        for (unsigned i = 0; i < BENCH_PROCESSES; i++)
                all += atomic_load_explicit(&shared->by[i].taken, memory_order_relaxed);
        return all;
}

/* Of each sender messages come in their order; where nothing is lost and no other receiver takes any, all of them. */
static void check_order(const struct channel *c, uint64_t number, uint64_t *next)
{
        unsigned producer = (unsigned)(number >> 40);
        uint64_t at = number & (((uint64_t)1 << 40) - 1);
        int gaps = c->lossy || (c->consumers > 1 && !c->broadcast);

        if (producer >= c->producers || (gaps ? at < next[producer] : at != next[producer]))
                trouble("message %llu of sender %u came instead of %llu", (unsigned long long)at, producer,
                        (unsigned long long)(producer < c->producers ? next[producer] : 0));
        next[producer] = at + 1;
}

/* Until there are no more. Who shares with others, or may lose some, looks whether there can be more when nothing came for a while. */
static void consume(struct player *p, const struct bench_order *o, struct bench_report *r)
{
        uint64_t numbers[BENCH_BATCH_MOST], next[BENCH_PROCESSES] = { 0 }, all = share_of(p->c, o) * p->c->producers;
        struct bench_histogram *h = &p->shared->latencies[p->me];

        for (uint64_t calls = 0; r->count < all; calls++) {
                int over = p->c->lossy && atomic_load(&p->shared->done) == p->c->producers;
                size_t n = get(p, numbers, p->c->batch);

                if (n == 0 && (over || (p->c->consumers > 1 && !p->c->broadcast && taken_by_all(p->shared) == all)))
                        break;
                if (n && (o->rate > 0 || (p->c->patience >= 0 && (p->c->lossy || r->count < 256 || calls % CLOCK_CALLS == 0))))
                        r->end = bench_clock->now();
                for (size_t i = 0; i < n; i++) {
                        check_order(p->c, numbers[i], next);
                        r->sum += numbers[i];
                        if (o->rate > 0) {
                                int64_t late = r->end - due(p, o, (unsigned)(numbers[i] >> 40), numbers[i] & (((uint64_t)1 << 40) - 1));

                                bench_histogram_add(h, late > 0 ? (uint64_t)late : 0, 1);
                        }
                }
                r->count += n;
                if (n && p->c->patience >= 0)
                        atomic_store_explicit(&p->shared->by[p->me].taken, r->count, memory_order_relaxed);
        }
        if (p->c->patience < 0 && o->rate == 0)
                r->end = bench_clock->now();
        else if (!r->end)
                r->end = r->start; /* it got none, and does not count */
}

/* ---- a turn -------------------------------------------------------------------------------------------------------------------------------- */

static void meet(struct player *p)
{
        atomic_fetch_add(&p->shared->arrived, 1);
        while (atomic_load(&p->shared->arrived) < p->play->processes)
                (void)sched_yield();
}

/* Of this process and all its threads. */
static void spent(double *cpu, double *switches)
{
        struct timespec t;
        struct rusage u;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        (void)getrusage(RUSAGE_SELF, &u);
        *cpu = (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
        *switches = (double)(u.ru_nvcsw + u.ru_nivcsw);
}

static void take_turn(struct player *p, const struct bench_order *o, struct bench_report *r)
{
        enum bench_shape shape = p->play->job->cell.shape;
        double cpu, switches;

        p->spun = 0;
        memset(&p->shared->latencies[p->me], 0, sizeof(p->shared->latencies[p->me]));
        spent(&cpu, &switches);
        meet(p);
        if (shape == BENCH_RATE && p->me == 0)
                atomic_store(&p->shared->start, bench_clock->now() + 100000);
        while (shape == BENCH_RATE && atomic_load(&p->shared->start) == 0)
                (void)sched_yield();
        r->start = shape == BENCH_RATE ? atomic_load(&p->shared->start) : bench_clock->now();
        if (shape == BENCH_PING_PONG && p->me == 0)
                ping(p, o->count, r);
        else if (shape == BENCH_PING_PONG)
                pong(p, o->count);
        else if (p->me < p->c->producers)
                produce(p, o);
        else
                consume(p, o, r);
        spent(&r->cpu, &r->switches);
        r->cpu -= cpu + (double)p->spun;
        r->cpu = r->cpu > 0 ? r->cpu : 0;
        r->switches -= switches;
}

static void pin(const struct bench_play *play, unsigned me)
{
        cpu_set_t set;

        if (play->cpus[0] < 0 || play->channel.way->threads)
                return;
        CPU_ZERO(&set);
        CPU_SET(play->cpus[me < play->channel.producers ? 0 : 1], &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                trouble("cannot stay on a processor: %s", strerror(errno));
}

void bench_player(struct bench_play *play, unsigned me, int control)
{
        struct player p = { .play = play, .c = &play->channel, .shared = play->shared, .me = me };
        struct bench_report report;
        struct bench_order order;
        cpu_set_t set;

        (void)prctl(PR_SET_TIMERSLACK, 1);
        p.buffer = aligned_alloc(4096, (p.c->size * p.c->batch + 4095) / 4096 * 4096);
        if (!p.buffer)
                trouble("%zu bytes of memory: %s", p.c->size * p.c->batch, strerror(errno));
        memset(p.buffer, '@', (p.c->size * p.c->batch + 4095) / 4096 * 4096);
        pin(play, me);
        CPU_ZERO(&set);
        p.alone = play->job->cell.place != BENCH_SAME_CORE &&
                  (play->cpus[0] >= 0 || (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1));
        p.c->way->join(p.c, (int)me);
        if (send(control, "j", 1, MSG_NOSIGNAL) == 1)
                while (recv(control, &order, sizeof(order), 0) == sizeof(order)) {
                        report = (struct bench_report){ 0 };
                        take_turn(&p, &order, &report);
                        if (send(control, &report, sizeof(report), MSG_NOSIGNAL) != sizeof(report))
                                break;
                }
        _exit(0);
}
