/* SPDX-License-Identifier: MIT */
/*
 * The words that cases of all suites are written with: judging, other processes, and steps that processes wait for.
 *
 * Each case runs in a process of its own. A case that needs another process starts a peer. Whoever finds a promise broken says why and is gone;
 * the runner then ends the rest of the case.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipcway.h"

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

void here(const char *file, int line);
void fail(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));
void skip(const char *capability) __attribute__((noreturn));

#define CHECK(condition, ...)                                  \
        do {                                                   \
                here(__FILE__, __LINE__);                      \
                if (!(condition))                              \
                        fail(__FILE__, __LINE__, __VA_ARGS__); \
        } while (0)
/* For calls that give 0, a count or -errno. */
#define EQUAL(call, wanted)                                                                                               \
        do {                                                                                                              \
                here(__FILE__, __LINE__);                                                                                 \
                long long got_ = (long long)(call), wanted_ = (long long)(wanted);                                        \
                if (got_ != wanted_)                                                                                      \
                        fail(__FILE__, __LINE__, "%s: %lld (%s), not %lld (%s)", #call, got_, result_name(got_), wanted_, \
                             result_name(wanted_));                                                                       \
        } while (0)
const char *result_name(long long);

enum { SECOND = 1000000000 };
#define SOON ((int64_t)30 * SECOND) /* longer than anything takes; a case that waits so long has failed */

/* ---- other processes ---------------------------------------------------------------------------------------------------------------- */

struct run; /* what a suite has for its cases */
pid_t peer(struct run *, void (*work)(struct run *, void *), void *argument);
void peer_end(pid_t); /* it ends by itself, well */
void peer_kill(pid_t);
void until_asleep(pid_t);  /* it sleeps in a system call */
bool until_at_rest(pid_t); /* or it has ended: false */

/* A number shared by all processes of the case. Waiting for it sleeps. */
struct shared {
        uint32_t step;
        uint32_t value[31];
        uint32_t acknowledged[1024]; /* by sender */
        unsigned char seen[4096];    /* by message */
        /* for rows that drop what comes too fast: */
        uint32_t under_way[1024]; /* bytes, by sender */
        uint32_t receivers;       /* that have opened */
};
extern struct shared *shared;
void step_to(uint32_t);   /* sets it */
void step_wait(uint32_t); /* until it is at least that */

uint64_t mix(uint64_t);              /* another number, by no rule that shows */
unsigned any_number(unsigned below); /* from the seed */
int count_fds(void);
