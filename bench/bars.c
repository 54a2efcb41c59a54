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
#include <stdio.h>
#include <sys/utsname.h>

#include "gates.h"
#include "program.h"

extern const struct bench_way peer_nng, peer_nng_buffered, peer_zmq; /* other libraries, where they are installed */

enum { SIZE = 64, BATCH = 32 /* messages at once, where many go at once */ };

enum measure { POLLING, BLOCKING, ONE_CPU, SENDING, ONE_WAY, MANY, ALONE, PASSED, MEASURES };

static const struct {
        const char *text;
        enum bench_shape shape;
} measures[] = {
        [POLLING] = { "there and back, polling", BENCH_PING_PONG },
        [BLOCKING] = { "there and back, sleeping", BENCH_PING_PONG },
        [ONE_CPU] = { "there and back, sleeping, one CPU", BENCH_PING_PONG },
        [SENDING] = { "single sends, each call", BENCH_SENDS },
        [ONE_WAY] = { "single sends, till received", BENCH_ONE_WAY },
        [MANY] = { "32 by send_many, times as fast", BENCH_ONE_WAY }, /* against single writes */
        [ALONE] = { "acquire and release, alone", BENCH_ALONE },
        [PASSED] = { "handed over, sleeping", BENCH_PASSED },
};

struct bar {
        const char *name;
        const char *address;
        const struct bench_way *raw;
        double many;                  /* MANY is promised too: how many times as fast; 0: is not */
        const struct bench_way *gate; /* the library's side, of a gate; NULL: messages, `ours` */
        unsigned leave;               /* measures that make no sense here, bit by bit */
        /* side by side with another library: these measures and no others, and their limits; neither is pinned to a CPU */
        struct {
                double blocking, one_way, many;
        } peer;
};

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
        { "sem+sysv", "sem+sysv:0x4{pid}?count=3&value=0&index={n}", &raw_semop, 0, &our_semaphore },
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

static int is_peer(const struct bar *bar)
{
        return bar->peer.blocking || bar->peer.one_way || bar->peer.many;
}

static int is_promised(const struct bar *bar, enum measure measure)
{
        if (is_peer(bar))
                return (measure == BLOCKING && bar->peer.blocking) || (measure == ONE_WAY && bar->peer.one_way) ||
                       (measure == MANY && bar->peer.many);
        return (measure != MANY || bar->many) && (bar->gate != NULL) == (measure >= ALONE) && !(bar->leave & 1u << measure);
}

static double limit_of(const struct bar *bar, enum measure measure)
{
        if (is_peer(bar))
                return measure == MANY ? bar->peer.many : measure == ONE_WAY ? bar->peer.one_way : bar->peer.blocking;
        switch (measure) {
        case MANY:
                return bar->many;
        case ONE_CPU:
                return 1.15;
        case ALONE:
                return bar->gate->lock ? 1.05 : 3;
        case PASSED:
                return 1.1;
        default:
                return 1.08;
        }
}

static struct bench_job job_of(const struct bar *bar, enum measure measure, const struct bench_way *way)
{
        /* libraries have sockets for each purpose */
        struct bench_job job = { .way = way, .back = !is_peer(bar), .cell = bench_cell_empty() };

        job.cell.shape = measures[measure].shape;
        job.cell.wait = measure == POLLING ? BENCH_POLLING : BENCH_SLEEPING;
        job.cell.place = is_peer(bar) ? BENCH_FREE : measure == ONE_CPU ? BENCH_SAME_CORE : BENCH_OTHER_CORE;
        job.cell.size = SIZE;
        job.cell.batch = measure == MANY ? BATCH : 1;
        if (measure == SENDING)
                job.burst = bar->raw->burst ? bar->raw->burst : BENCH_BURST;
        (void)snprintf(job.address, sizeof(job.address), "%s", bar->address);
        return job;
}

static void show(const struct bar *bar, enum measure measure, const struct bench_bar *promise, const struct bench_ratio *r)
{
        const char *what = measures[measure].text;

        if (promise->by == BENCH_NS_MORE)
                printf("%-22s %-34s %8.1f %8.1f %+6.1fn  %+5.1fn to %+5.1fn  <= %3.0fn  %s\n", bar->name, what, r->reference, r->ours,
                       r->value, r->low, r->high, promise->bar, r->verdict);
        else
                printf("%-22s %-34s %8.0f %8.0f %7.3f  %6.3f to %6.3f  %s %4.2f  %s\n", bar->name, what, r->reference, r->ours, r->value,
                       r->low, r->high, promise->by == BENCH_TIMES_AS_FAST ? ">=" : "<=", promise->bar, r->verdict);
        (void)fflush(stdout);
}

static void measure_bar(struct program *program, const struct bar *bar, enum measure measure)
{
        struct bench_job jobs[] = { job_of(bar, measure, bar->raw), job_of(bar, measure, bar->gate ? bar->gate : &ours) };
        const struct bench_bar promise = { BENCH_EACH,
                                           measure == MANY                        ? BENCH_TIMES_AS_FAST
                                           : measure == ALONE && !bar->gate->lock ? BENCH_NS_MORE
                                                                                  : BENCH_TIMES_AS_LONG,
                                           limit_of(bar, measure) };
        struct bench_ratio ratio;
        char name[80];
        int r = bench_compare(jobs, &promise, 1, &program->plan, &ratio);

        (void)snprintf(name, sizeof(name), "%-22s %-34s", bar->name, measures[measure].text);
        if (!program_has(program, jobs, 2, name, r))
                return;
        if (program->json)
                program_json(bar->name, measures[measure].text, promise.bar, &ratio);
        else
                show(bar, measure, &promise, &ratio);
        program_note(program, ratio.verdict);
}

static void measure_all(struct program *program, const struct bar *bar)
{
        for (enum measure measure = 0; measure < MEASURES && !program_is_stopped(); measure++) {
                char text[128];

                (void)snprintf(text, sizeof(text), "%s, %s", bar->name, measures[measure].text);
                if (!program_wants(program, text))
                        continue;
                if (!bar->raw) {
                        if (!program->json)
                                printf("%-22s not here: built without %s\n", bar->name, bar->address);
                        return;
                }
                if (is_promised(bar, measure) && (measure == ONE_CPU || program->cpus[1] >= 0))
                        measure_bar(program, bar, measure);
        }
}

int main(int argc, char **argv)
{
        struct program program;
        struct utsname kernel;

        if (program_begin(&program, "bars", argc, argv, 61, 20) != 0)
                return 2;
        (void)uname(&kernel);
        if (!program.json) {
                printf("64-byte messages, and turns at gates; raw system calls and ipcway in turn: %u rounds%s; Linux %s; CPUs %d and %d\n",
                       program.plan.rounds, program.quick ? ", short ones: the verdicts are for show" : "", kernel.release, program.cpus[0],
                       program.cpus[1]);
                if (program.cpus[1] < 0)
                        printf("fewer than 2 CPUs: what needs two is left out\n");
                printf("%-22s %-34s %8s %8s %7s  %16s  %7s  %s\n", "way", "measure", "raw ns", "ipcway", "ratio", "95 % interval", "bar",
                       "verdict");
        }
        for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++)
                measure_all(&program, &bars[i]);
        return program_end(&program);
}
