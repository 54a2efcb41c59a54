/* SPDX-License-Identifier: MIT */
/*
 * Writes a result file that looks like one of a real machine, and is the same each time: for tests of what reads such files.
 *
 *      sample FILE [SECONDS]       of when it says it is (since 1970)
 *
 * Times come from a model: a cost of the mechanism, a copy a byte, a wake-up of 20 us where somebody sleeps, a tail of one in a thousand.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

struct model {
        const char *mechanism, *address, *tuned;
        double ns, byte_ns, wake_ns; /* a hand-over, a byte, a wake-up; wake_ns 0: nobody can sleep there */
        size_t most;                 /* bytes of a message */
        int lossy;
};

static const struct model models[] = {
        { "pipe", "pipe:", "pipe:?capacity=1M", 391, 0.25, 20400, SIZE_MAX, 0 },
        { "fifo", "fifo:PATH", "fifo:PATH?capacity=1M", 461, 0.26, 20100, SIZE_MAX, 0 },
        { "unix", "unix:PATH", "unix:PATH?sndbuf=1M,rcvbuf=1M", 1427, 0.08, 14400, SIZE_MAX, 0 },
        { "unix+seqpacket", "unix+seqpacket:PATH", "unix+seqpacket:PATH?buffer=4096K", 1382, 0.09, 21600, 1 << 17, 0 },
        { "unix+dgram", "unix+dgram:PATH", NULL, 1422, 0.09, 22700, 1 << 17, 0 },
        { "tcp", "tcp:HOST:PORT", NULL, 3540, 0.2, 25400, SIZE_MAX, 0 },
        { "udp", "udp:HOST:PORT", NULL, 2334, 0.15, 24700, 65507, 1 },
        { "mq", "mq:/NAME", NULL, 966, 0.17, 20900, 8192, 0 },
        { "mq+sysv", "mq+sysv:KEY", NULL, 1072, 0.5, 21400, 8192, 0 },
        { "file", "file:PATH", NULL, 3105, 0.3, 25300, SIZE_MAX, 0 },
        { "log", "log:PATH", NULL, 4000, 0.4, 26000, SIZE_MAX, 0 },
        { "shm", "shm:/NAME", "shm:/NAME?producers=1,consumers=1", 60, 0.02, 20100, 1 << 22, 0 },
};
static const size_t sizes[] = { 8, 64, 1024, 8192, 65536, 1 << 20 };

static double chance(void)
{
        static uint64_t state = 42;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (double)(state >> 11) / (double)(1ull << 53);
}

static struct bench_figure about(double value)
{
        return (struct bench_figure){ value, value * 0.97, value * 1.03 };
}

static struct bench_figure at(const struct bench_histogram *h, double part)
{
        return about((double)bench_histogram_at(h, part));
}

static void measure(struct bench_cell *c, double ns)
{
        c->messages = 20000;
        c->rounds = 15;
        c->send_cpu = about(ns * 0.6);
        c->receive_cpu = about(ns * 0.8);
        c->switches = about(c->wait == BENCH_POLLING ? 0.001 : c->shape == BENCH_ONE_WAY ? 0.1 : 1);
        if (c->shape != BENCH_PING_PONG)
                c->per_second = about(c->shape == BENCH_RATE ? c->rate : 1.4e9 / ns * (double)c->batch);
        if (c->shape == BENCH_ONE_WAY)
                return;
        c->latencies = calloc(1, sizeof(*c->latencies));
        if (!c->latencies)
                err(1, NULL);
        for (unsigned i = 0; i < c->messages; i++) {
                double x = chance();

                bench_histogram_add(c->latencies, (uint64_t)(ns * (1 + 0.1 * (x + chance())) + (x > 0.999 ? 50000 * chance() : 0)), 1);
        }
        c->p50 = at(c->latencies, 0.5);
        c->p90 = at(c->latencies, 0.9);
        c->p99 = at(c->latencies, 0.99);
        c->p999 = at(c->latencies, 0.999);
        c->p9999 = at(c->latencies, 0.9999);
        c->max = about((double)c->latencies->most);
}

static void put(struct bench_run *run, const struct model *m, enum bench_party party, enum bench_shape shape, enum bench_wait wait,
                size_t size)
{
        struct bench_cell c = bench_cell_empty();
        double ns = m->ns + (double)size * m->byte_ns + (wait == BENCH_POLLING || shape == BENCH_ONE_WAY ? 0 : m->wake_ns);

        c.party = party;
        c.shape = shape;
        c.wait = wait;
        c.place = BENCH_OTHER_CORE;
        c.size = size;
        c.rate = shape == BENCH_RATE ? 10000 : 0;
        (void)snprintf(c.mechanism, sizeof(c.mechanism), "%s", m->mechanism);
        (void)snprintf(c.address, sizeof(c.address), "%s",
                       party == BENCH_RAW     ? "bare system calls"
                       : party == BENCH_TUNED ? m->tuned
                                              : m->address);
        if (size > m->most)
                (void)snprintf(c.verdict, sizeof(c.verdict), "not here: messages are at most %zu bytes", m->most);
        else
                measure(&c, ns * (party == BENCH_DEFAULT ? 1.08 : party == BENCH_TUNED ? 0.9 : 1));
        if (m->lossy && shape == BENCH_ONE_WAY)
                c.lost = 311;
        if (bench_append(run, &c) < 0)
                err(1, NULL);
}

static void put_other(struct bench_run *run, const char *mechanism, const char *what, enum bench_party party, enum bench_wait wait,
                      double ns, const char *verdict)
{
        for (enum bench_shape shape = 0; shape < BENCH_SHAPES; shape++) {
                struct bench_cell c = bench_cell_empty();

                c.party = party;
                c.shape = shape;
                c.wait = wait;
                c.place = BENCH_OTHER_CORE;
                c.size = 64;
                c.rate = shape == BENCH_RATE ? 10000 : 0;
                (void)snprintf(c.mechanism, sizeof(c.mechanism), "%s", mechanism);
                (void)snprintf(c.address, sizeof(c.address), "%s", what);
                (void)snprintf(c.verdict, sizeof(c.verdict), "%s", verdict);
                if (!*verdict)
                        measure(&c, ns);
                if (bench_append(run, &c) < 0)
                        err(1, NULL);
        }
}

int main(int argc, char **argv)
{
        struct bench_run run = { .complete = 1,
                                 .machine = { "AMD EPYC", "Linux 6.18.44", "kvm", "glibc 2.36", "gcc 12.2.0", "0.1.0", 2, 1, 1780000000 } };

        if (argc < 2 || argc > 3)
                errx(2, "usage: sample FILE [SECONDS]");
        if (argc == 3)
                run.machine.when = atoll(argv[2]);
        for (size_t m = 0; m < sizeof(models) / sizeof(models[0]); m++)
                for (enum bench_party party = BENCH_DEFAULT; party <= BENCH_RAW; party++)
                        for (enum bench_shape shape = 0; shape < BENCH_SHAPES; shape++)
                                for (size_t s = 0; (party != BENCH_TUNED || models[m].tuned) && s < sizeof(sizes) / sizeof(sizes[0]); s++) {
                                        put(&run, &models[m], party, shape, BENCH_SLEEPING, sizes[s]);
                                        put(&run, &models[m], party, shape, BENCH_POLLING, sizes[s]);
                                        if (party == BENCH_DEFAULT)
                                                put(&run, &models[m], party, shape, BENCH_LOOP, sizes[s]);
                                }
        put_other(&run, "shm", "bare hand-over", BENCH_LIMIT, BENCH_POLLING, 55, "");
        put_other(&run, "shm", "futex", BENCH_LIMIT, BENCH_SLEEPING, 20300, "");
        put_other(&run, "unix", "libnng: pair0 over ipc://, nng_sendmsg", BENCH_PEER, BENCH_SLEEPING, 47000, "");
        put_other(&run, "unix", "libzmq", BENCH_PEER, BENCH_SLEEPING, 32700, "void: the reference drifted by 31 %");
        put_other(&run, "shm", "Concurrency Kit", BENCH_PEER, BENCH_POLLING, 95, "not here: built without Concurrency Kit");
        errno = -bench_save(&run, argv[1]);
        if (errno)
                err(1, "%s", argv[1]);
        for (size_t i = 0; i < run.n; i++)
                free(run.cells[i].latencies);
        free(run.cells);
        return 0;
}
