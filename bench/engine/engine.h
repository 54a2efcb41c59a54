/* SPDX-License-Identifier: MIT */
/*
 * Measures ways, see way.h, and fills cells, see result.h.
 *
 * A cell is played by processes of its own: senders, receivers, and one that makes what they need, watches over them and takes it away, however they or whoever
 * asked for it end. Cells that are to be compared are played as a group: all are open at once, and in each round each of them has its turn, so that
 * whatever the machine does meanwhile meets all alike. One of them may be the reference: if its own times drift by more than a fifth from the first half
 * of the rounds to the second, the machine was not fit, and the whole group is void.
 *
 * Who measures sleeps meanwhile. Every message carries its number and words made from it, and is checked where it arrives; what is lost, doubled or out of order is seen.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "way.h"

enum { BENCH_PROCESSES = 16, BENCH_ROUNDS_MOST = 101 };

struct bench_job {
        struct bench_cell cell; /* the situation; its figures and its verdict are what comes of it */
        const struct bench_way *way;
        char address[256]; /* of the way, with its marks */
        char **text;       /* of a way that is in a module: its trouble_text and its trouble_last; else NULL */
        void (**last)(void);
};

struct bench_plan {
        unsigned rounds;      /* 1 to BENCH_ROUNDS_MOST */
        double ms, rate_ms;   /* about how long one cell's turn takes; BENCH_RATE */
        const char *dir;      /* where folders for names are made */
        int (*stopped)(void); /* is it to end? Asked whenever a signal came, and twice a second; NULL: no */
};

/*
 * Measures the jobs; `reference` is the index of one of them, or -1. 0, also where a cell could not be measured: its verdict says "not here: ..." if it could not be
 * opened, "failed: ..." if it broke. -EINTR: plan->stopped. Nothing is left behind in any case.
 */
int bench_group(struct bench_job *, size_t n, int reference, const struct bench_plan *);

/* Processors for senders and for receivers. 0; -ENODEV: this machine has no such two, or this process may not run there. */
int bench_place_find(enum bench_place, int cpus[2]);

void bench_machine_read(struct bench_machine *);

/* A folder, and all in it; follows no link. What cannot be removed stays. */
void bench_remove_folder(const char *dir);

/* What is made of the number of a message, and whether that came; in ways that put and take. bench_check() returns the number, or is trouble. */
void bench_fill(const struct channel *, char *message, uint64_t number);
uint64_t bench_check(const struct channel *, const char *message);

/* The time in ns. For tests it may be another one, which all processes share; `margin`: who must not be late wakes so much earlier, and looks again and again. */
struct bench_clock {
        int64_t (*now)(void);
        void (*sleep_until)(int64_t);
        int64_t margin;
};
extern const struct bench_clock *bench_clock;

/* ---- inside: host.c has the processes, player.c what they do ---------------------------------------------------------------------------- */

struct bench_order {
        uint64_t count; /* messages, of all senders together */
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
        _Alignas(128) _Atomic int64_t start; /* BENCH_RATE: when the first message is due */
        struct {
                _Alignas(128) _Atomic uint64_t taken;
        } by[BENCH_PROCESSES];
        int lossy, grows; /* what make() found out */
        char text[BENCH_TEXT_VERDICT];
        struct bench_histogram latencies[BENCH_PROCESSES];
};

struct bench_play {
        const struct bench_job *job;
        struct channel channel;
        struct bench_shared *shared;
        unsigned processes;
        int cpus[2];
        int control[BENCH_PROCESSES];
        pid_t host;
        int opened;
        char dir[128];
};

/* All in it have joined. -EIO: `why` says what it is; -EINTR. */
int bench_play_start(struct bench_play *, const struct bench_job *, const struct bench_plan *, char why[BENCH_TEXT_VERDICT]);
/* One turn; reports by process. Errors as above. */
int bench_play_turn(struct bench_play *, const struct bench_order *, const struct bench_plan *, struct bench_report *,
                    char why[BENCH_TEXT_VERDICT]);
void bench_play_stop(struct bench_play *);

/* In each process, until it is killed. */
_Noreturn void bench_player(struct bench_play *, unsigned me, int control);
