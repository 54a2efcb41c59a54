/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks that compare the library with the same work in raw system calls. See rounds.c for how, bars.c for what.
 *
 * A `way` is how two processes pass messages of SIZE bytes to each other: `ours` by the library, the others as a good programmer would write
 * it without. Both kinds fill and check every message by the same code, ignore SIGPIPE, check every result, and sit in the same two processes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        SIZE = 64,  /* bytes of a message */
        BURST = 64, /* single messages that a channel must hold at once */
        STEP = 320, /* messages are counted in steps of this: a multiple of BATCH and of any burst */
        BATCH = 32, /* messages at once, where many go at once */
        ROUNDS = 61,
        ROUNDS_MOST = 101,
};

struct ipw_link;

struct channel {
        const struct way *way;
        const char *address; /* ours: what to open; {dir} is a private folder */
        int polling;         /* look again and again instead of sleeping */
        int fds[4];          /* raw: descriptors, by the way's own order; -1: none */
        int in, out;         /* raw, once joined */
        int queues[2];       /* System V ids, 0 to 1 and 1 to 0; -1: none */
        char ends[4][64];    /* ours, anonymous: two addresses of each direction */
        char names[2][160];  /* ours, or FIFOs: addresses or paths, by direction */
        struct ipw_link *from, *to, *listener;
        void *peer[2];           /* another library's: what to receive from, and what to send to */
        char gate_names[3][200]; /* gates: what to open; by gate */
        void *gates[3];          /* once joined: raw a sem_t, ours a struct ipw_gate */
};

struct way {
        unsigned burst;                                  /* single messages that it holds; 0: BURST */
        void (*make)(struct channel *, const char *dir); /* in the supervisor, before the two processes are forked */
        void (*made)(struct channel *);                  /* in the supervisor, after that; NULL: nothing to do */
        void (*join)(struct channel *, int side);        /* in each of the two */
        void (*send)(struct channel *, char (*messages)[SIZE], size_t n);
        size_t (*recv)(struct channel *, char (*messages)[SIZE], size_t n); /* at least 1, at most n */
        void (*unmake)(struct channel *); /* in the supervisor, at the end, however it came; NULL: nothing to do */
        /* Gates instead of messages: semaphores WAKE_0 and WAKE_1 that are taken by that side, and FREE that is nobody's; or one lock, FREE. */
        void (*acquire)(struct channel *, int gate);
        void (*release)(struct channel *, int gate);
        int lock;
};
enum { WAKE_0, WAKE_1, FREE };

extern const struct way ours, raw_pipe, raw_fifo, raw_seqpacket, raw_seqpacket_epoll, raw_stream, raw_tcp, raw_dgram, raw_udp, raw_mq,
        raw_queue, raw_file;
extern const struct way peer_nng, peer_nng_buffered, peer_zmq; /* other libraries, where they are installed */
extern const struct way our_semaphore, our_lock, raw_sem, raw_semop, raw_ofd, raw_fcntl, raw_flock;

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
        const struct way *raw;
        double many;            /* MANY is promised too: how many times as fast; 0: is not */
        const struct way *gate; /* the library's side, of a gate; NULL: messages, `ours` */
        unsigned leave;         /* measures that make no sense here, bit by bit */
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

/* Ends this process with a text on stderr. */
void trouble(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
