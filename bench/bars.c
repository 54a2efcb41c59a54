/* SPDX-License-Identifier: MIT */
/*
 * What the library may cost over raw system calls, as a table of promises: each bar is measured against the same work without it. And how it compares with two
 * other libraries over a Unix socket, where they are installed.
 *
 *      bars [--quick] [--json] [--rounds N] [WORD...]      only bars whose "name, measure" holds one of the words
 *
 * Exit status: 0 all hold, 1 one is short or void, 2 usage, 3 something failed. With --quick it is 0 for all that could be measured: few and short
 * rounds show that everything works and about how fast, and prove nothing.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

static const struct bar bars[] = {
        { "pipe, frame", "pipe:?framing=frame", &raw_pipe, 8 },
        { "pipe, raw", "pipe:?framing=raw", &raw_pipe },
        { "fifo, frame", "fifo:{dir}/ours-{n}?framing=frame", &raw_fifo },
        { "unix+seqpacket, pair", "unix+seqpacket:{dir}/ours", &raw_seqpacket },
        { "unix+seqpacket, hub", "unix+seqpacket:{dir}/ours-{n}", &raw_seqpacket_epoll },
        { "unix", "unix:{dir}/ours", &raw_stream, 15 },
        { "unix+dgram", "unix+dgram:{dir}/ours-{n}", &raw_dgram },
        { "tcp", "tcp:127.0.0.1:{port}", &raw_tcp },
        { "udp", "udp:127.0.0.1:{port}", &raw_udp, .leave = 1u << ONE_WAY },
        { "file", "file:{dir}/ours-{n}", &raw_file, .leave = 1u << POLLING },
        { "mq", "mq:/ipcway-bars-{pid}-{n}?size=64&depth=10", &raw_mq },
        { "mq+sysv", "mq+sysv:id={id}", &raw_queue },
        { "sem", "sem:/ipcway-bars-{pid}-{n}?value=0", &raw_sem, 0, &our_semaphore },
        { "sem+sysv", "sem+sysv:{key}?count=3&value=0&index={n}", &raw_semop, 0, &our_semaphore },
        { "lock, ofd", "lock:{dir}/lock", &raw_ofd, 0, &our_lock },
        { "lock, posix", "lock:{dir}/lock?kind=posix", &raw_fcntl, 0, &our_lock },
        { "lock, flock", "lock:{dir}/lock?kind=flock", &raw_flock, 0, &our_lock },
#ifdef WITH_NNG
        { "unix, nng", "unix:{dir}/ours", &peer_nng, .peer = { .blocking = 0.5, .one_way = 0.1 } },
        /* Ten times as many as these would be more than single writes to a socket can be. */
        { "unix, nng with buffers", "unix:{dir}/ours", &peer_nng_buffered, .peer = { .blocking = 0.5, .one_way = 0.5 } },
#else
        { "unix, nng", "libnng", NULL },
#endif
#ifdef WITH_ZMQ
        { "unix, zmq", "unix:{dir}/ours", &peer_zmq, .peer = { .many = 2 } },
#else
        { "unix, zmq", "libzmq", NULL },
#endif
};

static const char *const measures[] = {
        [POLLING] = "there and back, polling",  [BLOCKING] = "there and back, sleeping",   [ONE_CPU] = "there and back, sleeping, one CPU",
        [SENDING] = "single sends, each call",  [ONE_WAY] = "single sends, till received", [MANY] = "32 by send_many, times as fast",
        [ALONE] = "acquire and release, alone", [PASSED] = "handed over, sleeping",
};

static void show(const struct bar *bar, enum measure measure, const struct result *r, int json)
{
        if (json)
                printf("{\"name\":\"%s\",\"measure\":\"%s\",\"raw_ns\":%.0f,\"ns\":%.0f,\"ratio\":%.3f,\"low\":%.3f,\"high\":%.3f,\"bar\":%.2f,"
                       "\"verdict\":\"%s\"}\n",
                       bar->name, measures[measure], r->raw_ns, r->our_ns, r->ratio, r->low, r->high, r->limit, r->verdict);
        else if (r->difference)
                printf("%-22s %-34s %8.1f %8.1f %+6.1fn  %+5.1fn to %+5.1fn  <= %3.0fn  %s\n", bar->name, measures[measure], r->raw_ns,
                       r->our_ns, r->ratio, r->low, r->high, r->limit, r->verdict);
        else
                printf("%-22s %-34s %8.0f %8.0f %7.3f  %6.3f to %6.3f  %s %4.2f  %s\n", bar->name, measures[measure], r->raw_ns, r->our_ns,
                       r->ratio, r->low, r->high, measure == MANY ? ">=" : "<=", r->limit, r->verdict);
        fflush(stdout);
}

static int is_wanted(const struct bar *bar, enum measure measure, char **words, int n)
{
        char text[128];

        (void)snprintf(text, sizeof(text), "%s, %s", bar->name, measures[measure]);
        for (int i = 0; i < n; i++)
                if (strstr(text, words[i]))
                        return 1;
        return n == 0;
}

static void find_cpus(struct plan *plan)
{
        cpu_set_t set;
        int found = 0;

        plan->cpus[0] = plan->cpus[1] = -1;
        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                trouble("sched_getaffinity: %s", strerror(errno));
        for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
                if (CPU_ISSET(cpu, &set))
                        plan->cpus[found++] = cpu;
}

static int usage(void)
{
        fputs("usage: bars [--quick] [--json] [--rounds 3..101] [WORD...]\n", stderr);
        return 2;
}

int main(int argc, char **argv)
{
        struct plan plan = { .rounds = ROUNDS, .half_ms = 20 };
        int quick = 0, json = 0, worst = 0, at = 1;
        struct utsname kernel;

        for (; at < argc && argv[at][0] == '-'; at++) {
                if (strcmp(argv[at], "--quick") == 0)
                        quick = 1, plan.rounds = 3, plan.half_ms = 1;
                else if (strcmp(argv[at], "--json") == 0)
                        json = 1;
                else if (strcmp(argv[at], "--rounds") == 0 && at + 1 < argc)
                        plan.rounds = (unsigned)atoi(argv[++at]);
                else
                        return usage();
        }
        if (plan.rounds < 3 || plan.rounds > ROUNDS_MOST)
                return usage();
        signal(SIGPIPE, SIG_IGN); /* as a program does that checks its writes; raw and ours alike */
        find_cpus(&plan);
        plan.dir = make_private_dir();
        uname(&kernel);
        if (!json) {
                printf("64-byte messages, and turns at gates; raw system calls and ipcway in turn: %u rounds%s; Linux %s; CPUs %d and %d\n",
                       plan.rounds, quick ? ", short ones: the verdicts are for show" : "", kernel.release, plan.cpus[0], plan.cpus[1]);
                if (plan.cpus[1] < 0)
                        printf("fewer than 2 CPUs: what needs two is left out\n");
                printf("%-22s %-34s %8s %8s %7s  %16s  %7s  %s\n", "way", "measure", "raw ns", "ipcway", "ratio", "95 % interval", "bar",
                       "verdict");
        }
        for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++)
                for (enum measure measure = 0; measure < MEASURES; measure++) {
                        struct result result;

                        if (!is_wanted(&bars[i], measure, argv + at, argc - at))
                                continue;
                        if (!bars[i].raw) {
                                if (!json)
                                        printf("%-22s not here: built without %s\n", bars[i].name, bars[i].address);
                                break;
                        }
                        if (!is_promised(&bars[i], measure) || (measure != ONE_CPU && plan.cpus[1] < 0))
                                continue;
                        if (measure_bar(&bars[i], measure, &plan, &result) < 0) {
                                printf("%-22s %-34s failed\n", bars[i].name, measures[measure]);
                                worst = 3;
                                continue;
                        }
                        show(&bars[i], measure, &result, json);
                        if (!quick && worst == 0 && strcmp(result.verdict, "holds") != 0)
                                worst = 1;
                }
        return worst;
}
