/* SPDX-License-Identifier: MIT */
/*
 * Measures ways, see way.h, and fills cells, see result.h.
 *
 * A cell is played by processes of its own: senders, receivers, and one that makes what they need, watches over them and takes it away, however they or whoever
 * asked for it end. Cells that are to be compared are played as a group: all are open at once, and in each round each of them has its turn, so that
 * whatever the machine does meanwhile meets all alike. One of them may be the reference: if its own times drift by more than a fifth from the first half
 * of the rounds to the second, the machine was not fit, and the whole group is void.
 *
 * For a bar, two ways are compared more closely: one play holds both, so that the same processes, with the same memory on the same processors, do the same work by one
 * and then by the other in each round. Each round gives one ratio; their median and the interval that holds it with 95 % (order statistics: no shape of the noise is
 * assumed) are the result, and it is judged by the worse end.
 *
 * Who measures sleeps meanwhile. Every message carries its number and words made from it, and is checked where it arrives; what is lost, doubled or out of order is seen.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "way.h"

enum { BENCH_PROCESSES = 16, BENCH_ROUNDS_MOST = 101, BENCH_BURST = 64 };

struct bench_job {
        struct bench_cell cell; /* the situation; its figures and its verdict are what comes of it */
        const struct bench_way *way;
        char address[256]; /* of the way, with its marks */
        int back;          /* both directions are made, also where one is used; there and back they always are */
        int whole;         /* see struct channel */
        unsigned burst;    /* BENCH_SENDS: messages that fit, at most BENCH_BURST */
        char **text;       /* of a way that is in a module: its trouble_text and its trouble_last; else NULL */
        void (**last)(void);
};

struct bench_plan {
        unsigned rounds;      /* 1 to BENCH_ROUNDS_MOST */
        double ms, rate_ms;   /* about how long one cell's turn takes; BENCH_RATE */
        const char *dir;      /* where folders for names are made */
        const int *cpus;      /* two processors, for what is not BENCH_FREE; NULL: they are found */
        int (*stopped)(void); /* is it to end? Asked whenever a signal came, and twice a second; NULL: no */
};

/*
 * Measures the jobs; `reference` is the index of one of them, or -1. 0, also where a cell could not be measured: its verdict says "not here: ..." if it could not be
 * opened, "failed: ..." if it broke. -EINTR: plan->stopped. Nothing is left behind in any case.
 */
int bench_group(struct bench_job *, size_t n, int reference, const struct bench_plan *);

/* A bar: what of the two is compared, how, and what is promised. */
struct bench_bar {
        enum {
                BENCH_EACH,
                BENCH_MEDIAN,
                BENCH_99TH
        } of; /* the time of a turn, by message or turn at a gate; there and back: halves of single round trips */
        enum { BENCH_TIMES_AS_LONG, BENCH_TIMES_AS_FAST, BENCH_NS_MORE } by;
        double bar; /* at most; BENCH_TIMES_AS_FAST: at least */
};

struct bench_ratio {
        double reference, ours; /* medians, ns */
        double value, low, high;
        const char *verdict; /* "holds", "short", "void: the reference drifted" */
};

/* Compares the second job with the first, which is the reference, by each of the bars. 0; -EINTR; -EIO: the verdict of one of the jobs says what it is. */
int bench_compare(struct bench_job jobs[2], const struct bench_bar *, size_t bars, const struct bench_plan *, struct bench_ratio *);

/* What a process of the job, of shape BENCH_IDLE, costs while it waits for so long: switches of context, and parts of a processor, by second. As above. */
int bench_idle(struct bench_job *, int64_t ns, const struct bench_plan *, double *switches, double *cpu);

/* Processors for senders and for receivers. 0; -ENODEV: this machine has no such two, or this process may not run there. */
int bench_place_find(enum bench_place, int cpus[2]);

void bench_machine_read(struct bench_machine *);

/* A folder, and all in it; follows no link. What cannot be removed stays. */
void bench_remove_folder(const char *dir);

/* The time in ns. For tests it may be another one, which all processes share; `margin`: who must not be late wakes so much earlier, and looks again and again. */
struct bench_clock {
        int64_t (*now)(void);
        void (*sleep_until)(int64_t);
        int64_t margin;
};
extern const struct bench_clock *bench_clock;

/* ---- inside: host.c has the processes, player.c what they do ---------------------------------------------------------------------------- */

enum { BENCH_HELD_MOST = 2 };

struct bench_order {
        unsigned which; /* of those that are held */
        int single;     /* there and back: each is timed */
        uint64_t count; /* messages, of all senders together; BENCH_IDLE: ns */
        double rate;    /* a second; 0: as fast as it goes */
};

struct bench_report {
        int64_t start, end;
        uint64_t count, sum; /* received: messages, and their numbers */
        double cpu;          /* ns */
        double switches;
};

struct bench_shared {
        _Alignas(128) _Atomic unsigned arrived, done;
        _Alignas(128) _Atomic uint32_t filled, emptied; /* BENCH_SENDS: bursts */
        _Alignas(128) _Atomic int64_t start;            /* BENCH_RATE: when the first message is due */
        struct {
                _Alignas(128) _Atomic uint64_t taken;
        } by[BENCH_PROCESSES];
        int lossy[BENCH_HELD_MOST], grows[BENCH_HELD_MOST]; /* what make() found out */
        char text[BENCH_TEXT_VERDICT];
        struct bench_histogram latencies[BENCH_PROCESSES];
};

/* One of the jobs that a play holds. The first so many of its processes take part in it. */
struct bench_held {
        const struct bench_job *job;
        struct channel channel;
        unsigned players;
        int cpus[2]; /* -1: any */
};

struct bench_play {
        struct bench_held held[BENCH_HELD_MOST];
        unsigned count;
        struct bench_shared *shared;
        unsigned processes;
        int control[BENCH_PROCESSES];
        pid_t host;
        char dir[128];
};

/* Of one job, or of two that are to be compared. All in it have joined. -EIO: `why` says what it is; -EINTR. */
int bench_play_start(struct bench_play *, const struct bench_job *, unsigned n, const struct bench_plan *, char why[BENCH_TEXT_VERDICT]);
/* One turn of one of them; reports by process. Errors as above. */
int bench_play_turn(struct bench_play *, const struct bench_order *, const struct bench_plan *, struct bench_report *,
                    char why[BENCH_TEXT_VERDICT]);
void bench_play_stop(struct bench_play *);

/* In each process, until it is killed. */
_Noreturn void bench_player(struct bench_play *, unsigned me, int control);
