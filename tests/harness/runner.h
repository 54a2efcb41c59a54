/* SPDX-License-Identifier: MIT */
/*
 * Runs the cases of a suite, several at a time, for most of them wait rather than compute. Each is a process group: it ends when its first process ends, when
 * anybody in it says FAIL, or at the deadline, and then all of it is killed and its objects are removed, whatever state it was in. What came of them is
 * printed in the order they were begun, whoever ends first.
 *
 * All is done by one process that starts them and waits for all of them at once. So a case has pages, a folder and a report of its own, and shares with the
 * others what all processes of a user share: ports, queues, limits.
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
};
extern struct stage *stage; /* shared by all processes of a case */
/* Set before the first case. */
extern int deadline;  /* seconds for one case: only a hang takes so long */
extern unsigned jobs; /* cases at a time */
extern uint64_t seed; /* of any_number() */

void runner_open(const char *name);
void runner_folder(char *path, size_t room); /* a fresh one, private */
/*
 * One line, in time: the texts stay as they are until the end. `clear` removes what the case may have left besides processes, and frees the context.
 * false: somebody wants us to end; then it was only cleared.
 */
bool runner_case(const char *row, const char *name, void (*body)(void *), void (*clear)(void *), void *context);
int runner_close(void); /* waits for all, prints the sum; an exit status */
