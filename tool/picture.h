/* SPDX-License-Identifier: MIT */
/*
 * A picture of the machine as it is kept: JSON Lines. The first line says what it is, of which version, and where it was taken; then one line for each process,
 * object and wait, as ls and why print them with --json, and the last says how many, so that half a file is not taken for a whole one.
 *
 * Each has an id, which is the same in two pictures if and only if it is the same thing, while the machine runs: a process with when it was started, an object with device
 * and inode, System V with the id that the kernel counts on, in its namespace.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

enum { PICTURE_VERSION = 1 };

struct picture {
        json_t *head;
        json_t *lines; /* by id, in the order of the picture */
};

/* The rest gives 0, or -errno with words in `why`. A file may have been written by anybody: it is checked, and -EBADMSG says what is wrong. */
enum { PICTURE_WHY = 240 };

int picture_read(struct picture *, FILE *, char why[PICTURE_WHY]);
int picture_begin(struct picture *, json_t *head, char why[PICTURE_WHY]); /* takes the head over, in any case */
int picture_add(struct picture *, json_t *line, char why[PICTURE_WHY]);   /* and the line */
void picture_free(struct picture *);

/* This machine, now; 0, or -1: it has said why not. */
int picture_take(struct picture *);
int picture_write(const struct picture *, FILE *); /* 0 or -errno */
