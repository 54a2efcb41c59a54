/* SPDX-License-Identifier: MIT */
/* Taking a turn at a gate, and running a program meanwhile: what `lock` and `sem` share. */
#pragma once

#include <signal.h>

#include "target.h"

/* As target_named(); it must be a gate. */
int turn_target(struct target *, const char *word, const char *scheme, const struct list *options, const char *const defaults[][2]);

struct turn {
        struct ipw_gate *gate;
        const struct target *target;
        int64_t timeout; /* 0: once; IPW_FOREVER */
        unsigned mode;   /* IPW_SHARED */
        int refused;     /* the status when it was not got in time */
        sigset_t mask;   /* what the program gets */
};

/*
 * Opens and waits for it; when somebody is watching, says after a second what for. From then on until turn_end() signals are blocked: none ends us
 * with a permit in hand. DONE, `refused`, or OURS_FAILED with a text. How it was opened: 0, IPW_EXISTING, IPW_FRESH.
 */
int turn_begin(struct turn *, unsigned how);
/* Gives it back. */
int turn_end(struct turn *, int status);

/* Runs the program while the turn lasts. Its status as a shell says it, CANNOT_RUN, NOT_FOUND or OURS_FAILED. */
int turn_run(const struct turn *, char **argv, const char *who);
/* The same, and nothing is held meanwhile. */
int turn_alone(char **argv, const char *who);
