/* SPDX-License-Identifier: MIT */
/*
 * Runs the cases of a suite one after the other. Each is a process group: it ends when its first process ends, when anybody in it says FAIL, or at the
 * deadline, and then all of it is killed and its objects are removed, whatever state it was in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a case stands, so that a hang can be told from where. */
struct stage {
        const char *volatile file; /* the check that was entered last */
        volatile int line;
        int report; /* a pipe to the runner */
        uint64_t seed;
        unsigned kills; /* a number that a suite counts out before it starts */
};
extern struct stage *stage; /* shared by all processes of a case */
extern int deadline;        /* seconds for one case: only a hang takes so long */

void runner_open(const char *name, uint64_t seed);
void runner_folder(char *path, size_t room); /* a fresh one, private */
/* Prints one line. `clear` removes what the case may have left besides processes. false: somebody wants us to end. */
bool runner_case(const char *row, const char *name, void (*body)(void *), void (*clear)(void *), void *context);
int runner_close(void); /* prints the sum; an exit status */
