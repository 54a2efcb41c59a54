/* SPDX-License-Identifier: MIT */
/*
 * How two parties are compared: the same processes hold the ways of both, and in every round they do the same work by one and then by the other, so that
 * whatever the machine does meanwhile meets both. Each round gives one ratio; statistics.h says what they mean. The supervisor sleeps while the others work:
 * it tells them what to do, collects their times and takes names away however they end.
 *
 * Of one sender and one receiver each has a processor of its own; more than these go where the kernel puts them. All who take part wait for each
 * other in shared memory before the time begins. It ends with the last message received.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rings.h"
#include "statistics.h"

enum { HANG_MS = 60000, SAMPLES = 1 << 16, CLOCK_CALLS = 64, PATIENCE = 2000000 };

struct order {
        unsigned which;
        uint64_t count;
};

struct report {
        int64_t start, end;
        uint64_t count, sum;
        double p50, p99; /* LATENCY, ns of one way */
        double switches, cpu;
};

struct shared {
        _Alignas(128) atomic_uint arrived;
        struct {
                _Alignas(128) _Atomic uint64_t taken;
        } by[PROCESSES];
};

struct stage {
        const struct row *row;
        const struct plan *plan;
        struct lane lanes[2][2]; /* by party; LATENCY: there and back */
        int control[PROCESSES][2];
        pid_t pids[PROCESSES];
        unsigned processes;
        struct shared *shared;
};

static pid_t supervisor;
static volatile sig_atomic_t stopped_by;

void trouble(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        fputs("rings: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
        exit(3);
}

int64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000 + t.tv_nsec;
}

void *shared_memory(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (p == MAP_FAILED)
                trouble("%zu bytes of memory: %s", size, strerror(errno));
        return p;
}

static const struct party *party_of(const struct row *row, unsigned which)
{
        return which ? &row->ours : &row->limit;
}

static unsigned producers(const struct party *p)
{
        return p->producers ? p->producers : 1;
}

static unsigned consumers(const struct party *p)
{
        return p->consumers ? p->consumers : 1;
}

/* How many take part in it. */
static unsigned size_of(const struct stage *s, unsigned which)
{
        const struct party *p = party_of(s->row, which);

        return s->row->shape == IDLE ? 1 : p->way->recv ? producers(p) + consumers(p) : 1;
}

/* ---- in each process ------------------------------------------------------------------------------------------------------------------- */

static void pin(const struct stage *s, unsigned me, unsigned of)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        for (unsigned i = 0; i < 2; i++)
                if (of > 2 || s->plan->cpus[i] == s->plan->cpus[s->row->one_cpu ? 0 : me % 2])
                        CPU_SET(s->plan->cpus[i], &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                trouble("cannot stay on a processor: %s", strerror(errno));
}

static void meet(struct shared *shared, unsigned of)
{
        atomic_fetch_add(&shared->arrived, 1);
        while (atomic_load(&shared->arrived) < of)
                (void)sched_yield();
}

static int ascending_ns(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static double part(uint32_t *sorted, uint64_t n, double of)
{
        return sorted[(uint64_t)((double)(n - 1) * of)];
}

/* There and back, each with a look at the clock, whose own time is taken off. */
static void ping(struct lane lanes[2], uint64_t count, struct report *r)
{
        static uint32_t took[SAMPLES], bare[1001];
        uint64_t n = count < SAMPLES ? count : SAMPLES, back;
        int64_t before = now(), after;

        for (size_t i = 0; i < 1001; i++, before = after)
                bare[i] = (uint32_t)((after = now()) - before);
        for (uint64_t i = 0; i < count; i++, before = after) {
                lanes[0].way->send(&lanes[0], i, 1);
                while (lanes[1].way->recv(&lanes[1], &back) == 0)
                        ;
                if (back != i)
                        trouble("message %llu came instead of %llu", (unsigned long long)back, (unsigned long long)i);
                after = now();
                took[i % SAMPLES] = (uint32_t)(after - before);
        }
        qsort(bare, 1001, sizeof(bare[0]), ascending_ns);
        qsort(took, n, sizeof(took[0]), ascending_ns);
        r->p50 = (part(took, n, 0.5) - part(bare, 1001, 0.5)) / 2;
        r->p99 = (part(took, n, 0.99) - part(bare, 1001, 0.5)) / 2;
}

static void pong(struct lane lanes[2], uint64_t count)
{
        uint64_t number;

        for (uint64_t i = 0; i < count; i++) {
                while (lanes[0].way->recv(&lanes[0], &number) == 0)
                        ;
                lanes[1].way->send(&lanes[1], number, 1);
        }
}

/* A number says whose message it is, and which. */
static uint64_t number_of(unsigned producer, uint64_t i)
{
        return (uint64_t)producer << 48 | i;
}

static void produce(struct lane *l, unsigned me, uint64_t count)
{
        for (uint64_t i = 0; i < count; i += l->batch)
                l->way->send(l, number_of(me, i), l->batch < count - i ? l->batch : (unsigned)(count - i));
}

static uint64_t taken_by_all(struct shared *shared)
{
        uint64_t all = 0;

        for (unsigned i = 0; i < PROCESSES; i++)
                all += atomic_load_explicit(&shared->by[i].taken, memory_order_relaxed);
        return all;
}

/* Until there are no more: a single receiver counts; of several each says what it got, and looks at the sum when nothing comes. */
static void consume(struct stage *s, struct lane *l, unsigned me, uint64_t count, struct report *r)
{
        uint64_t numbers[BATCH_MOST], next[PROCESSES] = { 0 };

        for (uint64_t calls = 1; r->count < count; calls++) {
                unsigned n = l->way->recv(l, numbers);

                if (n == 0 && taken_by_all(s->shared) == count)
                        break;
                for (unsigned i = 0; i < n; i++) {
                        unsigned producer = (unsigned)(numbers[i] >> 48) % PROCESSES;
                        uint64_t at = numbers[i] & (((uint64_t)1 << 48) - 1);

                        if (l->patience > 0 && !l->broadcast ? at < next[producer] : at != next[producer])
                                trouble("message %llu of sender %u came instead of %llu", (unsigned long long)at, producer,
                                        (unsigned long long)next[producer]);
                        next[producer] = at + 1;
                        r->sum += at;
                }
                r->count += n;
                if (l->patience > 0 && n) {
                        atomic_store_explicit(&s->shared->by[me].taken, r->count, memory_order_relaxed);
                        if (calls < CLOCK_CALLS || calls % (CLOCK_CALLS / l->batch) == 0)
                                r->end = now();
                }
        }
        if (l->patience <= 0)
                r->end = now();
}

static void idle(struct stage *s, struct lane *l, struct report *r)
{
        struct rusage before, after;
        uint64_t number;

        l->patience = (int64_t)(s->plan->idle_ms * 1e6);
        (void)getrusage(RUSAGE_SELF, &before);
        r->start = now();
        if (l->way->recv(l, &number))
                trouble("a message came from nowhere");
        r->end = now();
        (void)getrusage(RUSAGE_SELF, &after);
        r->switches = (double)(after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw) * 1e9 / (double)(r->end - r->start);
        r->cpu = ((double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e9 +
                  (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) * 1e3) /
                 (double)(r->end - r->start);
}

static void play(struct stage *s, unsigned me, const struct order *o, struct report *r)
{
        const struct party *p = party_of(s->row, o->which);
        struct lane *lanes = s->lanes[o->which];

        pin(s, me, size_of(s, o->which));
        meet(s->shared, size_of(s, o->which));
        r->start = now();
        if (s->row->shape == LATENCY && me == 0)
                ping(lanes, o->count, r);
        else if (s->row->shape == LATENCY)
                pong(lanes, o->count);
        else if (s->row->shape == IDLE)
                idle(s, lanes, r);
        else if (me < producers(p))
                produce(lanes, me, o->count / producers(p));
        else
                consume(s, lanes, me, o->count, r);
        if (!r->end)
                r->end = now();
}

/* Which way each of the two lanes of a party goes for this process, and whether it uses the first only. */
static void join(struct stage *s, unsigned me, unsigned which)
{
        const struct party *p = party_of(s->row, which);
        unsigned lanes = s->row->shape == LATENCY ? 2 : 1;

        for (unsigned i = 0; me < size_of(s, which) && i < lanes; i++) {
                struct lane *l = &s->lanes[which][i];
                int sender = s->row->shape == LATENCY ? i == me : s->row->shape == THROUGHPUT && me < producers(p);

                p->way->join(l, sender);
        }
}

static void perform(struct stage *s, unsigned me)
{
        struct order order;
        struct report report;
        int control = s->control[me][1];

        for (unsigned which = 0; which < 2; which++)
                if (party_of(s->row, which)->way)
                        join(s, me, which);
        if (send(control, "j", 1, 0) != 1)
                return;
        while (recv(control, &order, sizeof(order), 0) == sizeof(order)) {
                report = (struct report){ 0 };
                play(s, me, &order, &report);
                if (send(control, &report, sizeof(report), 0) != sizeof(report))
                        return;
        }
}

/* ---- in the supervisor ------------------------------------------------------------------------------------------------------------------ */

static void on_signal(int number)
{
        stopped_by = number;
}

/* Waits for what that process says, unless any of them ends. */
static int hear(const struct stage *s, unsigned from, void *data, size_t size)
{
        struct pollfd all[PROCESSES] = { 0 };
        const struct timespec limit = { .tv_sec = HANG_MS / 1000 };
        sigset_t none;
        int r;

        for (unsigned i = 0; i < s->processes; i++)
                all[i] = (struct pollfd){ .fd = s->pids[i] > 0 ? s->control[i][0] : -1, .events = i == from ? POLLIN : 0 };
        sigemptyset(&none);
        r = ppoll(all, s->processes, &limit, &none);
        if (r == 0)
                fprintf(stderr, "rings: nothing moved for %d s\n", HANG_MS / 1000);
        return r > 0 && all[from].revents & POLLIN && recv(s->control[from][0], data, size, 0) == (ssize_t)size ? 0 : -1;
}

/* One half of a round. */
static int run(struct stage *s, unsigned which, uint64_t count, struct report *sum)
{
        const struct party *p = party_of(s->row, which);
        struct order order = { which, count };
        unsigned n = size_of(s, which);
        uint64_t all = 0, expected = 0, each = count / producers(p);
        struct report r;

        atomic_store(&s->shared->arrived, 0);
        for (unsigned i = 0; i < PROCESSES; i++)
                atomic_store(&s->shared->by[i].taken, 0);
        for (unsigned i = 0; i < n; i++)
                if (send(s->control[i][0], &order, sizeof(order), 0) != sizeof(order))
                        return -1;
        *sum = (struct report){ .start = INT64_MAX };
        for (unsigned i = 0; i < n; i++) {
                if (hear(s, i, &r, sizeof(r)) < 0)
                        return -1;
                sum->start = r.start < sum->start ? r.start : sum->start;
                sum->end = r.end > sum->end ? r.end : sum->end;
                sum->count += r.count;
                sum->sum += r.sum;
                if (i == 0)
                        sum->p50 = r.p50, sum->p99 = r.p99, sum->switches = r.switches, sum->cpu = r.cpu;
        }
        if (s->row->shape != THROUGHPUT || !p->way->recv)
                return 0;
        all = count * (p->broadcast ? consumers(p) : 1);
        expected = (p->broadcast ? consumers(p) : 1) * producers(p) * (each * (each - 1) / 2);
        if (sum->count == all && sum->sum == expected)
                return 0;
        fprintf(stderr, "rings: %llu messages came, of %llu\n", (unsigned long long)sum->count, (unsigned long long)all);
        return -1;
}

/* How many take the time that half a round shall take? */
static int find_count(struct stage *s, unsigned which, uint64_t *count)
{
        const struct party *p = party_of(s->row, which);
        uint64_t step = (uint64_t)producers(p) * s->lanes[which][0].batch;
        struct report r;

        *count = step * 4;
        for (int tries = 0; tries < 4; tries++) {
                double wanted;

                if (run(s, which, *count, &r) < 0)
                        return -1;
                wanted = s->plan->half_ms * 1e6 / ((double)(r.end - r.start) / (double)*count);
                wanted = wanted > (double)*count * 64 ? (double)*count * 64 : wanted > 4e6 ? 4e6 : wanted;
                *count = wanted < (double)step * 4 ? step * 4 : (uint64_t)wanted / step * step;
        }
        return 0;
}

static void judge(const struct row *row, unsigned rounds, const double *limit, const double *ours, double bar, int drifted,
                  struct result *out)
{
        double ratios[STATISTICS_MOST];
        int faster = row->shape == THROUGHPUT;

        for (unsigned i = 0; i < rounds; i++)
                ratios[i] = faster ? limit[i] / ours[i] : ours[i] / limit[i];
        *out = (struct result){ median(limit, rounds), median(ours, rounds), median(ratios, rounds), 0, 0, NULL };
        interval(ratios, rounds, &out->low, &out->high);
        out->verdict = drifted ? "void: the reference drifted" : (faster ? out->low >= bar : out->high <= bar) ? "holds" : "short";
}

static int compare(struct stage *s, struct result out[2])
{
        static double p50[2][STATISTICS_MOST], p99[2][STATISTICS_MOST];
        uint64_t count[2];
        struct report r;
        int drifted;

        for (unsigned which = 0; which < 2; which++)
                if (find_count(s, which, &count[which]) < 0)
                        return -1;
        for (unsigned round = 0; round < s->plan->rounds; round++)
                for (unsigned which = 0; which < 2; which++) {
                        if (run(s, which, count[which], &r) < 0)
                                return -1;
                        p50[which][round] = s->row->shape == LATENCY ? r.p50 : (double)(r.end - r.start) / (double)count[which];
                        p99[which][round] = r.p99;
                }
        drifted = has_drifted(p50[0], s->plan->rounds);
        judge(s->row, s->plan->rounds, p50[0], p50[1], s->row->bar, drifted, &out[0]);
        if (s->row->bar99)
                judge(s->row, s->plan->rounds, p99[0], p99[1], s->row->bar99, drifted, &out[1]);
        return 0;
}

/* Nothing to compare with: what a second of waiting costs. */
static int be_idle(struct stage *s, struct result out[2])
{
        struct report r;

        if (run(s, 1, 0, &r) < 0)
                return -1;
        out[0] = (struct result){ .our_ns = r.switches, .ratio = r.switches, .low = r.switches, .high = r.switches };
        out[1] = (struct result){ .our_ns = r.cpu * 100, .ratio = r.cpu * 100, .low = r.cpu * 100, .high = r.cpu * 100 };
        out[0].verdict = r.switches <= s->row->bar ? "holds" : "short";
        out[1].verdict = r.cpu * 100 <= s->row->bar99 ? "holds" : "short";
        return 0;
}

static void set_lanes(struct stage *s)
{
        for (unsigned which = 0; which < 2; which++)
                for (unsigned i = 0; i < 2; i++) {
                        const struct party *p = party_of(s->row, which);
                        struct lane *l = &s->lanes[which][i];

                        *l = (struct lane){ .way = p->way,
                                            .options = p->options,
                                            .size = s->row->size ? s->row->size : SMALL,
                                            .batch = p->batch ? p->batch : 1,
                                            .whole = p->whole,
                                            .patience = p->polling         ? 0
                                                        : consumers(p) > 1 ? PATIENCE
                                                                           : -1,
                                            .broadcast = p->broadcast };
                        (void)snprintf(l->name, sizeof(l->name), "ipcway-rings-%d-%u%u", (int)supervisor, which, i);
                        l->buffer = aligned_alloc(128, (l->size * l->batch + 127) / 128 * 128);
                        if (!l->buffer)
                                trouble("%zu bytes of memory: %s", l->size * l->batch, strerror(errno));
                        memset(l->buffer, 0, l->size * l->batch);
                }
}

static void unset_lanes(struct stage *s)
{
        for (unsigned which = 0; which < 2; which++)
                for (unsigned i = 0; i < 2; i++) {
                        struct lane *l = &s->lanes[which][i];

                        if (l->way && l->way->unmake)
                                l->way->unmake(l);
                        free(l->buffer);
                }
}

static int start(struct stage *s)
{
        char ready;

        for (unsigned i = 0; i < s->processes; i++) {
                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->control[i]) < 0)
                        return -1;
                s->pids[i] = fork();
                if (s->pids[i] == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (getppid() != supervisor)
                                _exit(3);
                        for (unsigned k = 0; k <= i; k++)
                                close(s->control[k][0]);
                        perform(s, i);
                        _exit(0);
                }
                close(s->control[i][1]);
                if (s->pids[i] < 0 || hear(s, i, &ready, 1) < 0)
                        return -1;
        }
        return 0;
}

static void stop(struct stage *s)
{
        for (unsigned i = 0; i < s->processes && s->pids[i] > 0; i++) {
                kill(s->pids[i], SIGKILL);
                waitpid(s->pids[i], NULL, 0);
                close(s->control[i][0]);
        }
}

int measure_row(const struct row *row, const struct plan *plan, struct result out[2])
{
        struct stage s = { .row = row, .plan = plan, .shared = shared_memory(sizeof(struct shared)) };
        struct sigaction act = { .sa_handler = on_signal };
        static const int watched[] = { SIGINT, SIGTERM, SIGHUP };
        sigset_t block, before;
        int r;

        supervisor = getpid();
        fflush(NULL);
        sigemptyset(&block);
        for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
                sigaddset(&block, watched[i]);
                sigaction(watched[i], &act, NULL);
        }
        sigprocmask(SIG_BLOCK, &block, &before); /* until hear() waits */
        set_lanes(&s);
        for (unsigned which = 0; which < 2; which++) {
                const struct party *p = party_of(row, which);

                for (unsigned i = 0; p->way && i < (row->shape == LATENCY ? 2 : 1); i++)
                        p->way->make(&s.lanes[which][i]);
                if (p->way && size_of(&s, which) > s.processes)
                        s.processes = size_of(&s, which);
        }
        r = start(&s);
        if (r == 0)
                r = row->shape == IDLE ? be_idle(&s, out) : compare(&s, out);
        stop(&s);
        unset_lanes(&s);
        (void)munmap(s.shared, sizeof(struct shared));
        for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
                signal(watched[i], SIG_DFL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (stopped_by)
                raise(stopped_by);
        return r;
}
