/* SPDX-License-Identifier: MIT */
/*
 * A machine on paper: every answer that a source gave, so that the same picture can be taken again anywhere. It is a text that people read and change:
 *
 *      read 0 12/stat
 *              12 (cat) S 1 12 12 ...
 *      link 0 12/fd/0
 *       pipe:[3]
 *      list -13 7/fd
 *
 * What was asked, the error or 0, of what; then the answer, a line that ends by a newline behind a tab, one that does not behind a blank. Bytes that are no
 * printable ASCII are %XX. Who asks the same once more gets the next answer that is there to it, and the last one from then on; what nobody asked is -ENOENT.
 */
#pragma once

#include <stdio.h>

#include "source.h"

struct answer {
        int op, error;
        char *key, *text;
        size_t size;           /* of the text, which may hold zeros */
        unsigned times, given; /* how often in a row it was the answer, and how often it was given again */
};

struct machine {
        struct source source; /* replays */
        struct answer *answers;
        size_t count, room;
};

/* What cannot be read as above is left out. */
void machine_read(struct machine *, const char *text, size_t size);
/* From now on it answers so to whatever `op` is asked of what has `part` in its name; as a machine does that lacks something, or forbids it. How many answers that were. */
unsigned machine_lacks(struct machine *, const char *op, const char *part, int error);
void machine_write(const struct machine *, FILE *);
void machine_free(struct machine *);

/* Asks `inner` and puts down what it says, but what tells of this machine more than of its processes: mounts, private memory, when it was started. */
struct recorder {
        struct source source;
        struct source *inner;
        struct machine *to;
        pid_t itself;   /* is left out */
        bool completes; /* asks what nobody has asked: an answer that is there stays the only one */
};
void recorder_open(struct recorder *, struct source *inner, struct machine *to);

/* Asks for all else that a collector could want to know, so that what was recorded stays good when it looks in another order. */
void recorder_complete(struct recorder *);

/* A picture in words, with nothing of this machine's own in it. */
struct ipw_probe;
void machine_print(const struct ipw_probe *, FILE *);
