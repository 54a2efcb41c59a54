/* SPDX-License-Identifier: MIT */
/*
 * What rings promise, as a table: each bar against a bare hand-over, a bare copy, another library, or another shape of the same ring, in the same processes.
 *
 *      rings [--quick] [--json] [--rounds N] [WORD...]      only rows whose name holds one of the words
 *
 * Latency is one way, the round trip halved; "of the 99th" is that of the 99th slowest of a hundred. Exit status as bars: 0 all hold, 1 one is short or void,
 * 2 usage, 3 something failed; with --quick 0 for all that could be measured.
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "program.h"

enum { SMALL = 64, LARGE = 1 << 20, WAITING_MS = 3000, WAITING_QUICK_MS = 200 };

#ifdef WITH_CK
extern const struct bench_way peer_ck;
#define CK &peer_ck
#else
#define CK NULL
#endif
#ifdef WITH_BOOST
extern const struct bench_way peer_boost;
#define BOOST &peer_boost
#else
#define BOOST NULL
#endif

/* One of the two that are compared. */
struct party {
        const struct bench_way *way;
        const char *options;                  /* ours: what the address asks for */
        unsigned batch, producers, consumers; /* 0: 1 */
        int polling, whole, broadcast;
};

struct row {
        const char *name;
        struct party limit, ours; /* limit.way NULL: what it needs is not installed */
        enum { LATENCY, THROUGHPUT, IDLE } shape;
        int one_cpu;
        size_t size;  /* 0: SMALL */
        double bar;   /* LATENCY: at most so many times as long; THROUGHPUT: at least so many times as fast */
        double bar99; /* LATENCY: of the 99th of 100; 0: none */
};

/*
 * Beside other libraries a ring has the size that it has if nobody asks for another, 1 MiB, and their queues hold as many bytes; where many take turns both do better with
 * 64 KiB. A conversation, with one message under way, is quickest in a ring that stays in the first cache. For messages of 1 MiB there is room for three and most of a fourth: with two the sides wait for
 * each other, and more leave the caches. Shapes of one ring are compared in the same size.
 */
#define ALONE "producers=1&consumers=1"
#define TALK  "size=4K"
#define USUAL "size=64K"
#define BIG   "size=4M&" ALONE

static const struct row rows[] = {
        { "one way, polling, against a bare hand-over",
          { &bench_handover },
          { &ours_in_place, TALK "&" ALONE, .polling = 1 },
          LATENCY,
          .bar = 1.2,
          .bar99 = 2 },
        { "one way, as it comes, against a bare hand-over", { &bench_handover }, { &ours_in_place, TALK }, LATENCY, .bar = 1.4 },
        { "one way, as it comes, one CPU, against a futex", { &bench_futex }, { &ours_in_place, TALK }, LATENCY, .one_cpu = 1, .bar = 1.5 },
        { "one way, asleep, against a futex", { &bench_futex }, { &ours_in_place, TALK "&spin=0" }, LATENCY, .bar = 1.1 },
        { "waiting", { NULL }, { &ours_in_place, USUAL }, IDLE, .bar = 11, .bar99 = 0.1 },

        { "1+1 alone, against ck_ring", { CK }, { &ours_in_place, ALONE }, THROUGHPUT, .bar = 1.8 },
        { "1+1 as it comes, against ck_ring", { CK }, { &ours_in_place }, THROUGHPUT, .bar = 0.7 },
        { "1+1 as it comes, against Boost", { BOOST }, { &ours_in_place }, THROUGHPUT, .bar = 5 },
        { "1+1 alone, 32 at once, against ck_ring", { CK }, { &ours_in_place, ALONE, 32 }, THROUGHPUT, .bar = 2.5 },
        { "1+1 alone, 32 lent, against ck_ring", { CK }, { &ours_lent, ALONE, 32, .whole = 1 }, THROUGHPUT, .bar = 3.5 },

        { "1 MiB in and out, against memcpy", { &bench_memcpy }, { &ours_in_place, BIG }, THROUGHPUT, .size = LARGE, .bar = 0.9 },
        { "1 MiB lent, against copied",
          { &ours_in_place, BIG, .whole = 1 },
          { &ours_lent, BIG, .whole = 1 },
          THROUGHPUT,
          .size = LARGE,
          .bar = 1.4 },

        { "4+1 against 1+1", { &ours_in_place, USUAL }, { &ours_in_place, USUAL, .producers = 4 }, THROUGHPUT, .bar = 0.5 },
        { "4+1 against 1+1, 32 at once",
          { &ours_in_place, USUAL, 32 },
          { &ours_in_place, USUAL, 32, .producers = 4 },
          THROUGHPUT,
          .bar = 0.5 },
        { "4+4 against 1+1, 32 at once", { &ours_in_place, USUAL, 32 }, { &ours_in_place, USUAL, 32, 4, 4 }, THROUGHPUT, .bar = 0.5 },
        { "4+4 against Boost",
          { BOOST, "1024", .producers = 4, .consumers = 4 },
          { &ours_in_place, USUAL, 1, 4, 4 },
          THROUGHPUT,
          .bar = 1 },

        { "broadcast to 4 against to 1",
          { &ours_in_place, USUAL, .broadcast = 1 },
          { &ours_in_place, USUAL, .consumers = 4, .broadcast = 1 },
          THROUGHPUT,
          .bar = 0.4 },
        { "broadcast to 4 against to 1, 32 at once",
          { &ours_in_place, USUAL, 32, .broadcast = 1 },
          { &ours_in_place, USUAL, 32, .consumers = 4, .broadcast = 1 },
          THROUGHPUT,
          .bar = 0.4 },
};

static struct bench_job job_of(const struct row *row, const struct party *p, unsigned which)
{
        static const enum bench_shape shapes[] = { [LATENCY] = BENCH_PING_PONG, [THROUGHPUT] = BENCH_ONE_WAY, [IDLE] = BENCH_IDLE };
        struct bench_job job = { .way = p->way, .whole = p->whole, .cell = bench_cell_empty() };
        const char *options = p->options ? p->options : "";

        job.cell.shape = shapes[row->shape];
        job.cell.wait = p->polling || p->way->no_sleep ? BENCH_POLLING : BENCH_SLEEPING;
        job.cell.place = row->one_cpu ? BENCH_SAME_CORE : BENCH_OTHER_CORE;
        job.cell.size = row->size ? row->size : SMALL;
        job.cell.batch = p->batch ? p->batch : 1;
        job.cell.producers = row->shape == IDLE ? 0 : p->producers ? p->producers : 1;
        job.cell.consumers = p->consumers ? p->consumers : 1;
        job.cell.broadcast = p->broadcast;
        if (p->way == &ours_in_place || p->way == &ours_lent)
                (void)snprintf(job.address, sizeof(job.address), "shm:/ipcway-rings-{pid}-%u-{n}%s%s", which, *options ? "?" : "", options);
        else
                (void)snprintf(job.address, sizeof(job.address), "%s", options);
        return job;
}

static void show(struct program *program, const struct row *row, const struct bench_ratio *r, double bar, const char *what)
{
        char name[80];

        program_note(program, r->verdict);
        if (program->json) {
                program_json(row->name, what, bar, r);
                return;
        }
        (void)snprintf(name, sizeof(name), "%s%s%s", row->name, *what ? ", " : "", what);
        if (row->shape == IDLE) {
                printf("%-56s %10s %10.2f %7s  %16s  <= %4.2f  %s\n", name, "", r->value, "", "", bar, r->verdict);
                return;
        }
        printf("%-56s %10.1f %10.1f %7.3f  %6.3f to %6.3f  %s %4.2f  %s\n", name, r->reference, r->ours, r->value, r->low, r->high,
               row->shape == LATENCY ? "<=" : ">=", bar, r->verdict);
        (void)fflush(stdout);
}

static void compare(struct program *program, const struct row *row)
{
        int faster = row->shape == THROUGHPUT;
        const struct bench_bar bars[] = {
                { faster ? BENCH_EACH : BENCH_MEDIAN, faster ? BENCH_TIMES_AS_FAST : BENCH_TIMES_AS_LONG, row->bar },
                { BENCH_99TH, BENCH_TIMES_AS_LONG, row->bar99 },
        };
        struct bench_job jobs[2];
        struct bench_ratio ratios[2];
        int r;

        if (!row->limit.way) {
                if (!program->json)
                        printf("%-56s not here: built without what it is compared with\n", row->name);
                return;
        }
        jobs[0] = job_of(row, &row->limit, 0);
        jobs[1] = job_of(row, &row->ours, 1);
        r = bench_compare(jobs, bars, row->bar99 > 0 ? 2 : 1, &program->plan, ratios);
        if (!program_has(program, jobs, 2, row->name, r))
                return;
        show(program, row, &ratios[0], row->bar, "");
        if (row->bar99 > 0)
                show(program, row, &ratios[1], row->bar99, "of the 99th");
}

/* Nothing to compare with: what a second of waiting costs. */
static void wait_idle(struct program *program, const struct row *row)
{
        struct bench_job job = job_of(row, &row->ours, 1);
        double switches, cpu;
        int r = bench_idle(&job, (program->quick ? WAITING_QUICK_MS : WAITING_MS) * 1000000LL, &program->plan, &switches, &cpu);

        if (!program_has(program, &job, 1, row->name, r))
                return;
        for (int i = 0; i < 2; i++) {
                double value = i ? cpu * 100 : switches, bar = i ? row->bar99 : row->bar;
                const struct bench_ratio only = {
                        .value = value, .low = value, .high = value, .verdict = value <= bar ? "holds" : "short"
                };

                show(program, row, &only, bar, i ? "% of a CPU" : "wakes a second");
        }
}

int main(int argc, char **argv)
{
        struct program program;
        struct utsname kernel;

        if (program_begin(&program, "rings", argc, argv, 31, 10) != 0)
                return 2;
        if (program.cpus[1] < 0) {
                puts("fewer than 2 CPUs: nothing to compare");
                return program_end(&program);
        }
        (void)uname(&kernel);
        if (!program.json) {
                printf("%u rounds of %.0f ms%s; Linux %s; CPUs %d and %d\n", program.plan.rounds, program.plan.ms,
                       program.quick ? ": the verdicts are for show" : "", kernel.release, program.cpus[0], program.cpus[1]);
                printf("%-56s %10s %10s %7s  %16s  %7s  %s\n", "64 bytes, ns of a message", "reference", "ipcway", "ratio", "95 % interval",
                       "bar", "verdict");
        }
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !program_is_stopped(); i++) {
                if (!program_wants(&program, rows[i].name))
                        continue;
                if (rows[i].shape == IDLE)
                        wait_idle(&program, &rows[i]);
                else
                        compare(&program, &rows[i]);
        }
        return program_end(&program);
}
