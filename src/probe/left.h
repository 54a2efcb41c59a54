/* SPDX-License-Identifier: MIT */
/* Between the judge of what is left over (left.c) and the one who removes it (left_remove.c). */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "bytes.h"
#include "snapshot.h"

/* Can it be left over at all: has it a name, and outlives it its users? */
bool left_can_be(const struct ipw_probe_object *);
/* Is that a name that stands in for another while an object is made, or removed? */
bool left_is_half_made(const char *name);
/* -ENOENT: it has gone. */
int left_judge(struct ipw_probe *, const struct ipw_probe_object *, struct ipw_left *);

/* Of a file in /dev/shm: a descriptor, its folder and its name there. -ESTALE: another one has that name now. */
int left_open(const struct ipw_probe_object *, int *directory, char name[NAME_MAX + 1]);
/* 0: nobody else has it open or mapped, and who tries now waits for us. -EAGAIN: somebody has. */
int left_lease(int fd);
/* A ring in memory with that address, on its own: 1: it is none. */
int left_judge_ring(const char *address, struct ipw_left *);
