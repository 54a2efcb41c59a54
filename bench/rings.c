/* SPDX-License-Identifier: MIT */
/*
 * What rings promise, as a table: each bar against a bare hand-over, a bare copy, another library, or another shape of the same ring, in the same processes.
 *
 *      rings [--quick] [--rounds N] [WORD...]      only rows whose name holds one of the words
 *
 * Latency is one way, the round trip halved; "of the 99th" is that of the 99th slowest of a hundred. Exit status as bars: 0 all hold, 1 one is short or void,
 * 2 usage, 3 something failed; with --quick 0 for all that could be measured.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "rings.h"
#include "statistics.h"

#ifdef WITH_CK
#define CK &limit_ck
#else
#define CK NULL
#endif
#ifdef WITH_BOOST
#define BOOST &limit_boost
#else
#define BOOST NULL
#endif

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
          { &limit_handover },
          { &our_ring, TALK "&" ALONE, .polling = 1 },
          LATENCY,
          .bar = 1.2,
          .bar99 = 2 },
        { "one way, as it comes, against a bare hand-over", { &limit_handover }, { &our_ring, TALK }, LATENCY, .bar = 1.4 },
        { "one way, as it comes, one CPU, against a futex", { &limit_futex }, { &our_ring, TALK }, LATENCY, .one_cpu = 1, .bar = 1.5 },
        { "one way, asleep, against a futex", { &limit_futex }, { &our_ring, TALK "&spin=0" }, LATENCY, .bar = 1.1 },
        { "waiting", { NULL }, { &our_ring, USUAL }, IDLE, .bar = 11, .bar99 = 0.1 },

        { "1+1 alone, against ck_ring", { CK }, { &our_ring, ALONE }, THROUGHPUT, .bar = 1.8 },
        { "1+1 as it comes, against ck_ring", { CK }, { &our_ring }, THROUGHPUT, .bar = 0.7 },
        { "1+1 as it comes, against Boost", { BOOST }, { &our_ring }, THROUGHPUT, .bar = 5 },
        { "1+1 alone, 32 at once, against ck_ring", { CK }, { &our_ring, ALONE, 32 }, THROUGHPUT, .bar = 2.5 },
        { "1+1 alone, 32 lent, against ck_ring", { CK }, { &our_lent_ring, ALONE, 32, .whole = 1 }, THROUGHPUT, .bar = 3.5 },

        { "1 MiB in and out, against memcpy", { &limit_memcpy }, { &our_ring, BIG }, THROUGHPUT, .size = LARGE, .bar = 0.9 },
        { "1 MiB lent, against copied",
          { &our_ring, BIG, .whole = 1 },
          { &our_lent_ring, BIG, .whole = 1 },
          THROUGHPUT,
          .size = LARGE,
          .bar = 1.4 },

        { "4+1 against 1+1", { &our_ring, USUAL }, { &our_ring, USUAL, .producers = 4 }, THROUGHPUT, .bar = 0.5 },
        { "4+1 against 1+1, 32 at once", { &our_ring, USUAL, 32 }, { &our_ring, USUAL, 32, .producers = 4 }, THROUGHPUT, .bar = 0.5 },
        { "4+4 against 1+1, 32 at once", { &our_ring, USUAL, 32 }, { &our_ring, USUAL, 32, 4, 4 }, THROUGHPUT, .bar = 0.5 },
        { "4+4 against Boost", { BOOST, "1024", .producers = 4, .consumers = 4 }, { &our_ring, USUAL, 1, 4, 4 }, THROUGHPUT, .bar = 1 },

        { "broadcast to 4 against to 1",
          { &our_ring, USUAL, .broadcast = 1 },
          { &our_ring, USUAL, .consumers = 4, .broadcast = 1 },
          THROUGHPUT,
          .bar = 0.4 },
        { "broadcast to 4 against to 1, 32 at once",
          { &our_ring, USUAL, 32, .broadcast = 1 },
          { &our_ring, USUAL, 32, .consumers = 4, .broadcast = 1 },
          THROUGHPUT,
          .bar = 0.4 },
};

static void show(const struct row *row, const struct result *r, double bar, const char *what)
{
        char name[80];

        (void)snprintf(name, sizeof(name), "%s%s", row->name, what);
        if (row->shape == IDLE)
                printf("%-56s %10s %10.2f %7s  %16s  <= %4.2f  %s\n", name, "", r->our_ns, "", "", bar, r->verdict);
        else
                printf("%-56s %10.1f %10.1f %7.3f  %6.3f to %6.3f  %s %4.2f  %s\n", name, r->limit_ns, r->our_ns, r->ratio, r->low, r->high,
                       row->shape == LATENCY ? "<=" : ">=", bar, r->verdict);
        fflush(stdout);
}

static int is_wanted(const struct row *row, char **words, int n)
{
        for (int i = 0; i < n; i++)
                if (strstr(row->name, words[i]))
                        return 1;
        return n == 0;
}

static int find_cpus(struct plan *plan)
{
        cpu_set_t set;
        int found = 0;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 0;
        for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
                if (CPU_ISSET(cpu, &set))
                        plan->cpus[found++] = cpu;
        return found;
}

static int usage(void)
{
        fputs("usage: rings [--quick] [--rounds 3..127] [WORD...]\n", stderr);
        return 2;
}

/* 0 held, 1 not, 3 failed. */
static int one(const struct row *row, const struct plan *plan)
{
        struct result results[2];
        int good;

        if (row->shape != IDLE && !row->limit.way) {
                printf("%-56s not here: built without what it is compared with\n", row->name);
                return 0;
        }
        if (measure_row(row, plan, results) < 0) {
                printf("%-56s failed\n", row->name);
                return 3;
        }
        show(row, &results[0], row->bar, row->shape == IDLE ? ", wakes a second" : "");
        good = *results[0].verdict == 'h';
        if (row->bar99) {
                show(row, &results[1], row->bar99, row->shape == IDLE ? ", % of a CPU" : ", of the 99th");
                good &= *results[1].verdict == 'h';
        }
        return !good;
}

int main(int argc, char **argv)
{
        struct plan plan = { .rounds = 31, .half_ms = 10, .idle_ms = 3000 };
        int quick = 0, worst = 0, at = 1;
        struct utsname kernel;

        for (; at < argc && argv[at][0] == '-'; at++) {
                if (strcmp(argv[at], "--quick") == 0)
                        quick = 1, plan.rounds = 3, plan.half_ms = 1, plan.idle_ms = 200;
                else if (strcmp(argv[at], "--rounds") == 0 && at + 1 < argc)
                        plan.rounds = (unsigned)atoi(argv[++at]);
                else
                        return usage();
        }
        if (plan.rounds < 3 || plan.rounds >= STATISTICS_MOST)
                return usage();
        if (find_cpus(&plan) < 2) {
                puts("fewer than 2 CPUs: nothing to compare");
                return 0;
        }
        (void)uname(&kernel);
        printf("%u rounds of %.0f ms%s; Linux %s; CPUs %d and %d\n", plan.rounds, plan.half_ms, quick ? ": the verdicts are for show" : "",
               kernel.release, plan.cpus[0], plan.cpus[1]);
        printf("%-56s %10s %10s %7s  %16s  %7s  %s\n", "64 bytes, ns of a message", "reference", "ipcway", "ratio", "95 % interval", "bar",
               "verdict");
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                int r = is_wanted(&rows[i], argv + at, argc - at) ? one(&rows[i], &plan) : 0;

                worst = r > worst && !(quick && r == 1) ? r : worst;
        }
        return worst;
}
