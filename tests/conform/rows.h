/* SPDX-License-Identifier: MIT */
/*
 * The rows of a table of tests: each mechanism that has an address to try it with, once for each framing, and once for each switch turned. A
 * mechanism joins by being registered.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ipcway.h"

struct row {
        char name[64]; /* "fifo/line" */
        const struct ipw_mechanism *mechanism;
        char framing[16]; /* "" on records */
        char sample[256];
        int forbidden;      /* a byte that payloads must not have; -1: none */
        int forbidden_last; /* a byte that they must not end in; -1: none */
        bool published;     /* all receivers get all: tried as PUB and SUB */
        bool partial;       /* a message may take more than one system call */
        struct row *next;
};

/* `lie`: what the fake mechanism is told to break; NULL: nothing. `published`: also rows whose messages go to all, PUB and SUB. */
struct row *rows_make(const char *lie, bool published);
/* The rows whose messages go to all, to be tried so: "file/pub". */
struct row *rows_make_published(const char *lie);
void rows_free(struct row *);

/* An address of its own: {dir} and {key} in the sample replaced; {pid} only the case can. */
void row_address(const struct row *, const char *dir, char *out, size_t room);
/* The address with one more option. */
void row_option(char *out, size_t room, const char *address, const char *option);

/* Removes a folder and all in it. */
void empty_folder(const char *path);
