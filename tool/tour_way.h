/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the tour: two processes, the memory that they report in, and the ways between them. What opens, sends or receives in one of the
 * two processes ends that process when it fails, with a report.
 */
#pragma once

#include <unistd.h>

#include "tour_row.h"

enum { SENDER, RECEIVER };

static const int64_t tour_step = 15000000000; /* ns: no single step takes that long on a machine that works, however busy it is */

struct tour_shared {
        struct duo_report report[2];
        char stack[64];
        uint64_t bytes, messages, discarded, arrived;
        int64_t start, end, killed_at, end_at, round_trip;
        uint64_t begun, done; /* by the sender that is killed */
        int end_seen, text, drops;
        int64_t told_at;
        int receiver_killed, told; /* told: the error, positive */
};

/* A channel as both sides name it: [SENDER] opens it to send. */
struct way {
        char end[2][256];
        const struct ipw_mechanism *mechanism;
};

struct job {
        struct tour *tour;
        struct tour_shared *shared;
        struct way there, back;
        int go[2];    /* the receiver of tour_kill() starts when [1] closes */
        int ready[2]; /* the receiver closes [1] when it is there: not every way makes a sender wait for it */
};

/* In the parent. */
struct job tour_begin(struct tour *);
int tour_way(struct tour *, const struct ipw_mechanism *, struct way *, int until_last, struct ipw_why *);
void tour_drop(const struct way *, unsigned side); /* an end that this process will not open */
void tour_close_both(const int fds[2]);            /* -1: it is not open */

/* In one of the two. */
struct ipw_link *tour_open_end(struct duo_report *, const struct way *, unsigned side);
void tour_wait_for_receiver(const struct job *);
_Noreturn void tour_fail_link(struct duo_report *, const struct ipw_link *);

/* Does this way drop what comes too fast? Then the receiver says after each message of the file that it has it. */
static inline int tour_drops(const struct ipw_link *link)
{
        return !(ipw_link_caps(link)->flags & IPW_CAP_RELIABLE);
}

static inline int64_t tour_sooner(int64_t a, int64_t b)
{
        return a < b ? a : b;
}
