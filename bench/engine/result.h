/* SPDX-License-Identifier: MIT */
/*
 * What a benchmark found: a run is a machine and cells, a cell is one way measured in one situation. The engine fills it; tables, pictures, files and
 * `advise` read it and nothing else.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

enum bench_party { BENCH_DEFAULT, BENCH_TUNED, BENCH_RAW, BENCH_LIMIT, BENCH_PEER, BENCH_PARTIES };
enum bench_shape {
        BENCH_PING_PONG,
        BENCH_RATE,
        BENCH_ONE_WAY,
        BENCH_SHAPES,
        /* what only bars ask for: */
        BENCH_SENDS = BENCH_SHAPES, /* what a single send costs its caller: bursts that fit are sent to one who sleeps, then received */
        BENCH_ALONE,                /* gates: acquire and release, and nobody else wants it */
        BENCH_PASSED,               /* gates: from one process to the other and back; of a lock: both want it all the time */
        BENCH_IDLE,                 /* it waits, and nothing comes */
};
enum bench_wait { BENCH_POLLING, BENCH_SLEEPING, BENCH_LOOP, BENCH_WAITS };
enum bench_place { BENCH_SAME_CORE, BENCH_OTHER_CORE, BENCH_OTHER_SOCKET, BENCH_FREE, BENCH_PLACES };

/* As they stand in files, tables and on the command line: "default", "ping-pong", "sleeping", "other-core". */
extern const char *const bench_party_names[BENCH_PARTIES],
        *const bench_shape_names[BENCH_SHAPES], *const bench_wait_names[BENCH_WAITS], *const bench_place_names[BENCH_PLACES];

/* A median of rounds, and what holds it with 95 %. low == high == value where there was one round; value < 0: not measured. */
struct bench_figure {
        double value, low, high;
};

enum { BENCH_TEXT_MECHANISM = 32, BENCH_TEXT_ADDRESS = 128, BENCH_TEXT_VERDICT = 160 };

struct bench_cell {
        char mechanism[BENCH_TEXT_MECHANISM]; /* "pipe", "unix+seqpacket", "shm": groups the parties in tables and pictures */
        char address[BENCH_TEXT_ADDRESS]; /* what was opened, as its mechanism's syntax has it where the name is ours: "shm:/NAME?size=1M";
                                                 of others what they are and their tunings: "libnng, NNG_OPT_SENDBUF=1024" */
        enum bench_party party;
        enum bench_shape shape;
        enum bench_wait wait;
        enum bench_place place;
        unsigned producers, consumers;
        int broadcast;  /* each consumer gets all */
        size_t size;    /* of a message, bytes */
        unsigned batch; /* messages a call */
        double rate;    /* BENCH_RATE: messages a second that were due; else 0 */
        unsigned rounds;
        uint64_t messages;                                   /* in all that were timed */
        uint64_t lost;                                       /* by ways that may lose: said by them, or missing at the end */
        struct bench_figure p50, p90, p99, p999, p9999, max; /* one way, ns; RATE: from when it was due. ONE_WAY: not measured */
        struct bench_figure per_second;                      /* messages received, all consumers together; PING_PONG: not measured */
        struct bench_figure send_cpu, receive_cpu;           /* ns of CPU time a message; PING_PONG: each half of the two sides' */
        struct bench_figure switches;                        /* of context, a message, all sides together */
        struct bench_histogram *latencies;                   /* of all rounds; NULL: ONE_WAY, or nothing was measured */
        char verdict[BENCH_TEXT_VERDICT];                    /* ""; "void: the reference drifted by 31 %"; "not here: no mqueue" */
};

struct bench_machine {
        char processor[96], kernel[96], guest[48], libc[48], compiler[48], version[32];
        unsigned processors, sockets;
        int64_t when; /* seconds since 1970 */
};

struct bench_run {
        struct bench_machine machine;
        int complete; /* nothing was left out and nobody stopped it: worth to be advised by */
        size_t n;
        struct bench_cell *cells;
};

/* Was it measured, and may one go by it? */
static inline int bench_is_good(const struct bench_cell *c)
{
        return !*c->verdict;
}

/* A cell in which nothing is measured yet: all figures are -1. */
struct bench_cell bench_cell_empty(void);

/* Takes the cell over, with its histogram. 0, -ENOMEM. */
int bench_append(struct bench_run *, struct bench_cell *);

/*
 * A text file: a first line that names the format and its version, the machine, a line for each cell, a last line that counts them. Fields are set apart by tabs. It is
 * written beside its place and renamed, so that nobody reads half of one. Bytes of a file are anybody's: all of it is checked, and -EBADMSG says with
 * `line` (may be NULL) where it is wrong, from 1. -EPROTONOSUPPORT: of another version.
 */
int bench_save(const struct bench_run *, const char *path);
int bench_load(struct bench_run **, const char *path, unsigned *line);
/* Where `ipcway bench` keeps its last whole run for `ipcway advise`: ${XDG_CACHE_HOME:-~/.cache}/ipcway/bench. 0; -ENOENT: nobody says where; -ENAMETOOLONG. */
int bench_cache_path(char *path, size_t room);

void bench_free(struct bench_run *);
static inline void bench_freep(struct bench_run **r)
{
        bench_free(*r);
}
