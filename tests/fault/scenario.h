/* SPDX-License-Identifier: MIT */
/* What the fault sweep runs: short plays over one row that never give up on a failing call, and that judge what happens. */
#pragma once

#include <stdbool.h>

#include "ipcway.h"
#include "rows.h"

enum { MESSAGES = 64 };

struct world {
        const struct row *row;
        char dir[64];
        char address[400];
        char push[400], pull[400]; /* "": no such end now */
        struct ipw_caps bound;
        unsigned gets, sends; /* roles: IPW_PULL and IPW_PUSH, or IPW_SUB and IPW_PUB */
};

struct scenario {
        const char *name;
        bool (*fits)(const struct world *);
        void (*run)(struct world *);
        bool endless;                 /* waits without a timeout: what fails must not fail for ever */
        bool for_gates, for_segments; /* else for links */
};
void play_gate(struct world *);
void play_gate_inside(struct world *);
void play_segment(struct world *);
extern const struct scenario scenarios[]; /* ends with one that has no name */

bool world_make(struct world *, const char *root);
void world_clear(struct world *); /* whatever state it is in */
/* Takes away what stays only because it could not be removed. */
void world_sweep(struct world *);
/* After a scenario has closed all and removed the object: nothing is there. */
void world_check_names(struct world *);
void world_check_error(ssize_t r, const struct ipw_why *, const char *what); /* it is one, and has a text */

void broken(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));
#define BROKEN_UNLESS(condition, ...)                            \
        do {                                                     \
                if (!(condition))                                \
                        broken(__FILE__, __LINE__, __VA_ARGS__); \
        } while (0)

/* From here on calls do not fail, or do so again. */
void fault_pause(bool pause);
/* Is this the error that calls fail with in this run? */
bool fault_is(int error);
