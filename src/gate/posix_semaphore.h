/* SPDX-License-Identifier: MIT */
/* What POSIX semaphores have alike, wherever the sem_t lies: under a name of its own, or in shared memory. */
#pragma once

#include <semaphore.h>

#include "mechanism.h"

enum { SEMAPHORE_FLAGS = IPW_GATE_COUNTS | IPW_GATE_ANYBODY };

struct semaphore {
        struct gate gate;
        sem_t *sem;
        char *text;                         /* "sem:/jobs", for error texts */
        void (*let_go)(struct semaphore *); /* of the memory, and frees it; NULL: it is somebody else's */
};

/* Fills in all but `sem` and `let_go`. -ENOMEM. */
int semaphore_prepare(struct semaphore *, const char *text);

/* A semaphore in shared memory of the caller's: made there with `initial` permits, or joined if that is negative; -ENOENT: there is none. */
int semaphore_at(sem_t *, int initial, const char *text, struct gate **, struct ipw_why *);
