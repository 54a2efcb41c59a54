/* SPDX-License-Identifier: MIT */
/* Between the judge of what is left over (left.c) and the one who removes it (left_remove.c). */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "bytes.h"
#include "snapshot.h"

/* Can it be left over at all: has it a name, and outlives it its users? */
bool left_can_be(const struct ipw_probe_object *);
/* Is that a name that stands in for another while an object is made, or removed? */
bool left_is_half_made(const char *path);
/* -ENOENT: it has gone. */
int left_judge(struct ipw_probe *, const struct ipw_probe_object *, struct ipw_left *);

int left_verdict(struct ipw_left *, int which, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What has a name in the filesystem: its folder, and its name there. -ESTALE: another one has that name now. */
int left_find(const struct ipw_probe_object *, int *directory, char name[NAME_MAX + 1], struct stat *);
bool left_is_it(const struct ipw_probe_object *, const struct stat *);
/* The same of a plain file, and a descriptor of it. */
int left_open(const struct ipw_probe_object *, int *directory, char name[NAME_MAX + 1]);
/* 0: nobody else has it open or mapped, and who tries now waits for us. -EAGAIN: somebody has. */
int left_lease(int fd);
/* A ring in memory with that address, on its own: 1: it is none. */
int left_judge_ring(const char *address, struct ipw_left *);
/* A plain file: busy, if anybody has it; else no verdict yet. */
int left_judge_file(struct ipw_probe *, const struct ipw_probe_object *, struct ipw_left *);

/* ---- names in the filesystem (left_name.c) ------------------------------------------------------------------------------------------------- */

/* A socket's file, a FIFO, or a file with the locks of a ring in System V memory? */
bool left_is_name(const struct ipw_probe_object *);
int left_judge_name(struct ipw_probe *, const struct ipw_probe_object *, struct ipw_left *);
/* Is a socket of this machine bound to that file? 1, 0; -EACCES and others: the kernel does not say. -ESTALE: it is another one. */
int left_is_bound(const struct ipw_probe_object *, int directory, const char *name);
/* Has anybody this FIFO open, or sleeps until its other end is opened? A new picture is taken. 1, 0; -EACCES: some may not be looked into. */
int left_is_open(const struct ipw_probe_object *);
/* Is the System V memory there for which this file of locks stands? 1, 0, -EXDEV: it belongs to another namespace. */
int left_has_memory(const char *path);
