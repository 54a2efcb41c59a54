/* SPDX-License-Identifier: MIT */
/*
 * What a process of a cell does: it sends, receives, or answers, as often as it is told to, by the one of what it holds that it is told. All wait for each other in shared
 * memory before the time begins; it ends with the last message received. Of two each has a processor of its own; more go to either of them.
 *
 * At a fixed rate every message has a time at which it is due, whatever became of those before it. A sender that is late does not wait and does not skip, and a latency
 * is counted from when the message was due, not from when somebody found the time to send it: what a pause of 50 ms costs all who come in it is seen, and not the
 * first alone (coordinated omission). The receiver knows from its number when a message was due.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "message.h"

enum {
        SPOTS = 64,
        CLOCK_CALLS = 64,
        ASLEEP_NS = 100000,
        TAKEN_AWAY = 20000 /* ns between two looks at the clock: others had the processor */
};
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

static void __attribute__((noinline)) fill_any(const struct channel *c, char *message, uint64_t number)
{
        uint64_t first = c->text ? as_text(number) : number, words = c->size / 8, w;

        for (uint64_t i = 0; i < (words < SPOTS ? words : SPOTS); i++) {
                uint64_t at = spot(number, words, i);

                w = word(c, first, at);
                memcpy(message + 8 * at, &w, 8);
        }
        memcpy(message, &first, 8);
}

static uint64_t __attribute__((noinline)) check_any(const struct channel *c, const char *message)
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

/* Most are as small as a line of the cache, and what they cost here is part of what is measured. */
static void fill_line(char *message, uint64_t number)
{
        for (uint64_t i = 0; i < 8; i++, number += odd)
                memcpy(message + 8 * i, &number, 8);
}

static uint64_t check_line(const char *message)
{
        uint64_t first, expected, w, wrong = 0;

        memcpy(&first, message, 8);
        expected = first;
        for (uint64_t i = 1; i < 8; i++) {
                memcpy(&w, message + 8 * i, 8);
                wrong |= w ^ (expected += odd);
        }
        if (wrong)
                trouble("a message is not as it was sent: it begins with %016llx", (unsigned long long)first);
        return first;
}

void bench_fill(const struct channel *c, char *message, uint64_t number)
{
        if (c->size == BENCH_LINE && !c->text)
                fill_line(message, number);
        else
                fill_any(c, message, number);
}

uint64_t bench_check(const struct channel *c, const char *message)
{
        return c->size == BENCH_LINE && !c->text ? check_line(message) : check_any(c, message);
}

struct player {
        struct bench_play *play;
        const struct bench_held *held; /* what this turn is about */
        struct channel *c;
        struct bench_shared *shared;
        unsigned me;
        int alone;    /* on its processor: it may look again and again without being in the way of who receives */
        int64_t spun; /* ns in which a sender waited for the time to come */
};

static void fill_and_send(struct channel *c, uint64_t number, size_t n)
{
        for (size_t i = 0; i < n; i++)
                bench_fill(c, c->out_buffer + i * c->size, number + i);
        c->way->send(c, c->out_buffer, n);
}

static size_t receive_and_check(struct channel *c, uint64_t *numbers, size_t n)
{
        n = c->way->recv(c, c->in_buffer, n);
        for (size_t i = 0; i < n; i++)
                numbers[i] = bench_check(c, c->in_buffer + i * c->size);
        return n;
}

/* In line: where a message takes 50 ns, a call and another look through a pointer are seen. */
static inline void give(struct channel *c, uint64_t number, size_t n)
{
        if (c->way->put)
                c->way->put(c, number, n);
        else
                fill_and_send(c, number, n);
}

static inline size_t get(struct channel *c, uint64_t *numbers, size_t n)
{
        return c->way->take ? c->way->take(c, numbers, n) : receive_and_check(c, numbers, n);
}

static inline uint64_t get_one(struct channel *c)
{
        uint64_t number;

        while (get(c, &number, 1) == 0)
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

/* Round trips as the clock saw them; they are sorted in where nothing is being timed. */
struct trips {
        int64_t ns[1024];
        size_t n;
        int64_t cost; /* of a look at the clock */
        struct bench_histogram *to;
};

static void sort_in(struct trips *t)
{
        for (size_t i = 0; i < t->n; i++)
                bench_histogram_add(t->to, t->ns[i] > t->cost ? (uint64_t)(t->ns[i] - t->cost) / 2 : 0, 1);
        t->n = 0;
}

/*
 * One after the other without a pause, or who answers would wait in another way than between two who talk; and with all in locals, for a look through a pointer more is
 * a nanosecond of 50.
 */
static void ping(struct player *p, const struct bench_order *o, struct bench_report *r)
{
        struct trips trips = { .cost = clock_cost(), .to = &p->shared->latencies[p->me] };
        int64_t (*const now)(void) = bench_clock->now;
        struct channel *c = p->c;
        const uint64_t count = o->count;
        const int single = o->single;
        int64_t before, after;

        r->start = before = now();
        for (uint64_t i = 0; i < count; i++) {
                uint64_t back;

                give(c, i, 1);
                back = get_one(c);
                if (back != i)
                        trouble("message %llu came instead of %llu", (unsigned long long)back, (unsigned long long)i);
                if (!single)
                        continue;
                after = now();
                trips.ns[trips.n++] = after - before;
                before = after;
                if (trips.n == sizeof(trips.ns) / sizeof(trips.ns[0])) {
                        sort_in(&trips);
                        before = now();
                }
        }
        r->end = now();
        sort_in(&trips);
        r->count = count;
}

static void pong(struct player *p, uint64_t count, struct bench_report *r)
{
        struct channel *c = p->c;

        for (uint64_t i = 0; i < count; i++)
                give(c, get_one(c), 1);
        r->start = INT64_MAX; /* the time is that of the other */
}

/* ---- each call alone ------------------------------------------------------------------------------------------------------------------------ */

static void announce(_Atomic uint32_t *word)
{
        atomic_fetch_add(word, 1);
        (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Asleep, so as not to be in the way of the other. */
static void await(_Atomic uint32_t *word, uint32_t before)
{
        while (atomic_load(word) == before)
                (void)syscall(SYS_futex, word, FUTEX_WAIT, before, NULL, NULL, 0);
}

/* Only the sends are timed: nobody is asleep on them, none has to wait. */
static void send_bursts(struct player *p, uint64_t count, struct bench_report *r)
{
        unsigned burst = p->held->job->burst;
        int64_t start;

        for (uint64_t sent = 0; sent < count; sent += burst) {
                for (unsigned i = 0; i < burst; i++)
                        bench_fill(p->c, p->c->out_buffer + i * p->c->size, sent + i);
                start = bench_clock->now();
                for (unsigned i = 0; i < burst; i++)
                        p->c->way->send(p->c, p->c->out_buffer + i * p->c->size, 1);
                r->end += bench_clock->now() - start;
                announce(&p->shared->filled);
                await(&p->shared->emptied, (uint32_t)(sent / burst));
        }
        r->end += r->start;
}

static void receive_bursts(struct player *p, uint64_t count, struct bench_report *r)
{
        unsigned burst = p->held->job->burst;

        for (uint64_t next = 0; next < count;) {
                if (next % burst == 0)
                        await(&p->shared->filled, (uint32_t)(next / burst));
                if (get_one(p->c) != next)
                        trouble("message %llu did not come", (unsigned long long)next);
                if (++next % burst == 0)
                        announce(&p->shared->emptied);
        }
        r->start = INT64_MAX;
}

/* ---- gates ---------------------------------------------------------------------------------------------------------------------------------- */

static void take_and_give(struct channel *c, uint64_t count)
{
        while (count--) {
                c->way->acquire(c, FREE);
                c->way->release(c, FREE);
        }
}

/* A lock that both want goes where it likes; of two semaphores each wakes the other side. */
static void pass(struct channel *c, int side, uint64_t count)
{
        if (c->way->lock) {
                take_and_give(c, count);
                return;
        }
        while (count--) {
                if (side == 0)
                        c->way->release(c, WAKE_1);
                c->way->acquire(c, side == 0 ? WAKE_0 : WAKE_1);
                if (side == 1)
                        c->way->release(c, WAKE_0);
        }
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
        int64_t now = bench_clock->now(), before, margin = p->alone ? bench_clock->margin : 0;

        if (p->c->wait != BENCH_POLLING && when - now > margin) {
                bench_clock->sleep_until(when - margin);
                now = bench_clock->now();
        }
        for (before = now; now < when; before = now) {
                bench_pause();
                now = bench_clock->now();
                p->spun += now - before < TAKEN_AWAY ? now - before : 0;
        }
}

static void produce(struct player *p, const struct bench_order *o)
{
        struct channel *c = p->c;
        uint64_t count = share_of(c, o);

        if (o->rate > 0)
                for (uint64_t i = 0; i < count; i++) {
                        wait_until(p, due(p, o, p->me, i));
                        give(c, number_of(p->me, i), 1);
                }
        else
                for (uint64_t i = 0; i < count; i += c->batch)
                        give(c, number_of(p->me, i), c->batch < count - i ? c->batch : (size_t)(count - i));
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
static inline void check_order(uint64_t number, uint64_t *next, unsigned producers, int gaps)
{
        unsigned producer = (unsigned)(number >> 40);
        uint64_t at = number & (((uint64_t)1 << 40) - 1);

        if (producer >= producers || (gaps ? at < next[producer] : at != next[producer]))
                trouble("message %llu of sender %u came instead of %llu", (unsigned long long)at, producer,
                        (unsigned long long)(producer < producers ? next[producer] : 0));
        next[producer] = at + 1;
}

/* Until there are no more. Who shares with others, or may lose some, looks whether there can be more when nothing came for a while. */
static void consume(struct player *p, const struct bench_order *o, struct bench_report *r)
{
        struct channel *c = p->c;
        const int lossy = c->lossy, patient = c->patience >= 0, shares = c->consumers > 1 && !c->broadcast, rated = o->rate > 0;
        uint64_t numbers[BENCH_BATCH_MOST], next[BENCH_PROCESSES] = { 0 }, all = share_of(c, o) * c->producers, came = 0;
        const unsigned producers = c->producers, batch = c->batch;
        struct bench_histogram *h = &p->shared->latencies[p->me];

        for (uint64_t calls = 0; came < all; calls++) {
                int over = lossy && atomic_load(&p->shared->done) == producers;
                size_t n = get(c, numbers, batch);

                if (n == 0 && (over || (shares && taken_by_all(p->shared) == all)))
                        break;
                if (n && (rated || (patient && (lossy || came < 256 || calls % (CLOCK_CALLS / batch) == 0))))
                        r->end = bench_clock->now();
                for (size_t i = 0; i < n; i++) {
                        check_order(numbers[i], next, producers, lossy || shares);
                        r->sum += numbers[i];
                        if (rated) {
                                int64_t late = r->end - due(p, o, (unsigned)(numbers[i] >> 40), numbers[i] & (((uint64_t)1 << 40) - 1));

                                bench_histogram_add(h, late > 0 ? (uint64_t)late : 0, 1);
                        }
                }
                came += n;
                if (n && patient)
                        atomic_store_explicit(&p->shared->by[p->me].taken, came, memory_order_relaxed);
        }
        r->count = came;
        if (!patient && !rated)
                r->end = bench_clock->now();
        else if (!r->end)
                r->end = r->start; /* it got none, and does not count */
}

/* ---- a turn -------------------------------------------------------------------------------------------------------------------------------- */

static void meet(struct player *p)
{
        atomic_fetch_add(&p->shared->arrived, 1);
        while (atomic_load(&p->shared->arrived) < p->held->players)
                (void)sched_yield();
}

/* Between two who sleep, the second sleeps before the first begins: two who were awake at the same time could go on without ever sleeping. */
static void begin(struct player *p, struct bench_report *r)
{
        const enum bench_shape shape = p->held->job->cell.shape;

        if (p->me == 0 && p->c->wait != BENCH_POLLING && (shape == BENCH_PING_PONG || (shape == BENCH_PASSED && !p->c->way->lock)))
                bench_clock->sleep_until(bench_clock->now() + ASLEEP_NS);
        r->start = shape == BENCH_RATE ? atomic_load(&p->shared->start) : bench_clock->now();
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

static void do_work(struct player *p, const struct bench_order *o, struct bench_report *r)
{
        uint64_t none;

        switch (p->held->job->cell.shape) {
        case BENCH_PING_PONG:
                if (p->me == 0)
                        ping(p, o, r);
                else
                        pong(p, o->count, r);
                break;
        case BENCH_SENDS:
                if (p->me == 0)
                        send_bursts(p, o->count, r);
                else
                        receive_bursts(p, o->count, r);
                break;
        case BENCH_ALONE:
                take_and_give(p->c, o->count);
                break;
        case BENCH_PASSED:
                pass(p->c, (int)p->me, o->count);
                if (p->me && !p->c->way->lock)
                        r->start = INT64_MAX;
                break;
        case BENCH_IDLE:
                p->c->patience = (int64_t)o->count;
                if (get(p->c, &none, 1))
                        trouble("a message came from nowhere");
                break;
        default:
                if (p->me < p->c->producers)
                        produce(p, o);
                else
                        consume(p, o, r);
        }
}

static void pin(const struct bench_held *held, unsigned me)
{
        cpu_set_t set;

        if (held->cpus[0] < 0)
                return;
        CPU_ZERO(&set);
        for (unsigned i = 0; i < 2; i++)
                if (held->players > 2 || i == (me != 0))
                        CPU_SET(held->cpus[i], &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                trouble("cannot stay on a processor: %s", strerror(errno));
}

/* From now on it is about that one. */
static void turn_to(struct player *p, unsigned which)
{
        cpu_set_t set;

        p->held = &p->play->held[which];
        p->c = &p->play->held[which].channel;
        pin(p->held, p->me);
        CPU_ZERO(&set);
        p->alone = p->held->job->cell.place != BENCH_SAME_CORE &&
                   (p->held->cpus[0] >= 0 || (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1));
}

static void take_turn(struct player *p, const struct bench_order *o, struct bench_report *r)
{
        enum bench_shape shape;
        double cpu, switches;

        turn_to(p, o->which);
        shape = p->held->job->cell.shape;
        p->spun = 0;
        memset(&p->shared->latencies[p->me], 0, sizeof(p->shared->latencies[p->me]));
        spent(&cpu, &switches);
        meet(p);
        if (shape == BENCH_RATE && p->me == 0)
                atomic_store(&p->shared->start, bench_clock->now() + 100000);
        while (shape == BENCH_RATE && atomic_load(&p->shared->start) == 0)
                (void)sched_yield();
        begin(p, r);
        do_work(p, o, r);
        if (p->held->players == 1 || shape == BENCH_PASSED)
                r->end = bench_clock->now();
        spent(&r->cpu, &r->switches);
        r->cpu -= cpu + (double)p->spun;
        r->cpu = r->cpu > 0 ? r->cpu : 0;
        r->switches -= switches;
}

static char *new_buffer(size_t size)
{
        size_t whole = (size + 127) / 128 * 128;
        char *buffer = aligned_alloc(128, whole);

        if (!buffer)
                trouble("%zu bytes of memory: %s", whole, strerror(errno));
        memset(buffer, '@', whole);
        return buffer;
}

static void join(struct player *p, unsigned which)
{
        struct channel *c = &p->play->held[which].channel;
        size_t n = p->play->held[which].job->burst > c->batch ? p->play->held[which].job->burst : c->batch;

        turn_to(p, which);
        if (p->me < c->producers || c->back)
                c->out_buffer = new_buffer(n * c->size);
        if (p->me >= c->producers || c->back)
                c->in_buffer = new_buffer(n * c->size);
        c->way->join(c, (int)p->me);
}

void bench_player(struct bench_play *play, unsigned me, int control)
{
        struct player p = { .play = play, .shared = play->shared, .me = me };
        struct bench_report report;
        struct bench_order order;

        (void)prctl(PR_SET_TIMERSLACK, 1);
        for (unsigned i = 0; i < play->count; i++)
                if (me < play->held[i].players)
                        join(&p, i);
        if (send(control, "j", 1, MSG_NOSIGNAL) == 1)
                while (recv(control, &order, sizeof(order), 0) == sizeof(order)) {
                        report = (struct bench_report){ 0 };
                        take_turn(&p, &order, &report);
                        if (send(control, &report, sizeof(report), MSG_NOSIGNAL) != sizeof(report))
                                break;
                }
        _exit(0);
}
