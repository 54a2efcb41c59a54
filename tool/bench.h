/* SPDX-License-Identifier: MIT */
/* What `ipcway bench` is made of: what is to be measured (bench_jobs.c), and how it is shown (bench_show.c). bench.c measures. */
#pragma once

#include "engine.h"
#include "setting.h"

/* What was asked for. */
struct bench_wish {
        char *const *addresses; /* none: all mechanisms */
        int address_count;
        int quick, raw, limits, peers;
        const char *sizes, *shapes, *waits, *places; /* lists, as given; NULL: the usual ones */
        int64_t rate, senders, receivers, rounds;    /* 0: the usual */
        int to_all;
};

/* Cells that are measured together: one situation. The reference is the last of the jobs, or there is none (-1). */
struct bench_jobs {
        struct bench_job *job;
        size_t n, room;
        int reference;
};
struct bench_groups {
        struct bench_jobs *group;
        size_t n;
        int whole; /* all mechanisms in all situations */
};

/* DONE, or WRONG_USAGE after having said what is wrong. */
int bench_jobs_make(struct bench_groups *, const struct bench_wish *);
void bench_jobs_free(struct bench_groups *);
struct bench_plan bench_jobs_plan(const struct bench_wish *);
double bench_jobs_cost(const struct bench_job *, const struct bench_plan *); /* seconds, about */

/* To stdout: DONE or FAILED. */
int bench_show_table(const struct bench_run *);
int bench_show_json(const struct bench_run *);
/* A file for each cell that has latencies, in a folder that is made if it is not there. DONE or FAILED. */
int bench_show_hgrm(const struct bench_run *, const char *folder);
