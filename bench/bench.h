/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks that compare the library with the same work in raw system calls. See rounds.c for how, bars.c for what.
 *
 * Ways are what way.h calls so; they sit in the same two processes.
 */
#pragma once

#include "way.h"

enum {
        SIZE = 64,  /* bytes of a message */
        BURST = 64, /* single messages that a channel must hold at once */
        STEP = 320, /* messages are counted in steps of this: a multiple of BATCH and of any burst */
        BATCH = 32, /* messages at once, where many go at once */
        ROUNDS = 61,
        ROUNDS_MOST = 101,
};

extern const struct bench_way peer_nng, peer_nng_buffered, peer_zmq; /* other libraries, where they are installed */
extern const struct bench_way our_semaphore, our_lock, raw_sem, raw_semop, raw_ofd, raw_fcntl, raw_flock;

enum measure {
        POLLING,  /* ping-pong, both look again and again, a CPU each */
        BLOCKING, /* ping-pong, both sleep, a CPU each */
        ONE_CPU,  /* ping-pong, both sleep, one CPU for both */
        SENDING,  /* what a single send costs its caller: bursts that fit, then received on the other CPU */
        ONE_WAY,  /* single sends in one direction till all are received, a CPU each */
        MANY,     /* ipw_send_many() against single raw writes */
        ALONE,    /* gates: acquire and release, nobody else wants it */
        PASSED,   /* gates: from one process to the other and back, a CPU each; a lock that both want all the time */
        MEASURES,
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

struct result {
        double raw_ns, our_ns; /* medians of a message */
        double ratio, low, high;
        double limit;
        int difference;      /* `ratio` and its bounds are ns more, not times as long */
        const char *verdict; /* "holds", "short", "void: ..." */
};

struct plan {
        int cpus[2]; /* -1: there is none */
        unsigned rounds;
        double half_ms; /* how long one half of a round takes, about */
        const char *dir;
};

/* Measures one bar. 0, or -1 when a process failed or hung; it has said why on stderr. */
int measure_bar(const struct bar *, enum measure, const struct plan *, struct result *);

/* Is this measure of that bar to be taken? */
int is_promised(const struct bar *, enum measure);

/* A folder for names, which goes at the end of this process, as does all that a bar made. */
const char *make_private_dir(void);
