/* SPDX-License-Identifier: MIT */
/* Somebody else's program, with pipes to its stdin and from its stdout. */
#pragma once

#include <sys/types.h>

struct program {
        pid_t pid;    /* 0: not started, or its status was read */
        int ended;    /* a descriptor that is readable once it has ended */
        int to, from; /* its stdin and stdout; -1: closed */
};

/* DONE, or after a text CANNOT_RUN, NOT_FOUND, OURS_FAILED. Nothing of ours but the two pipes and stderr is open in it. */
int program_start(struct program *, char **argv, const char *who);

/* Closes the pipes, if that was not done yet. */
void program_close_to(struct program *);
void program_close_from(struct program *);

/* Its status as a shell says it (128+N for signal N), waiting for the end. */
int program_wait(struct program *);
