/* SPDX-License-Identifier: MIT */
/* One row of the tour: what is done with a mechanism, and what came of it. */
#pragma once

#include "duo.h"
#include "ipcway.h"

enum { TOUR_NAMES = 8, TOUR_ROUNDS = 2000 };

struct tour {
        const unsigned char *data; /* the file */
        size_t size;
        unsigned passes; /* how often it is moved, so that there is something to measure */
        char dir[64];    /* private, fresh */
        unsigned dirs;   /* subfolders made */
        int64_t until;   /* when all must be over */
        struct tour_shared *shared;
        char name[TOUR_NAMES][256]; /* what exists at this moment and must go */
        unsigned names;
        int interrupted;
};

struct tour_row {
        const struct ipw_mechanism *mechanism;
        enum duo_end moved, killed; /* DUO_WELL: the figures are true */
        char why[256];
        char stack[64];
        uint64_t bytes, messages;
        int64_t round_trip; /* p50, ns */
        int64_t spent;      /* ns for all bytes */
        char killed_why[256];
        uint64_t sent, arrived, discarded;
        int text;  /* it carries lines only: the bytes went as hexadecimal digits */
        int drops; /* it drops what comes too fast: the receiver confirmed each message of the file */
        int end_seen;
        int64_t end_after; /* ns from the kill to the end */
        enum duo_end left; /* the receiver was killed */
        char left_why[256];
        int told;           /* the error that told the sender; 0: none did, but its sends ended in time */
        int64_t told_after; /* ns from the kill */
};

int tour_open(struct tour *, const char *file); /* DONE or an exit status, said */
void tour_move(struct tour *, struct tour_row *);
void tour_kill(struct tour *, struct tour_row *);
void tour_leave(struct tour *, struct tour_row *);
void tour_close(struct tour *); /* nothing is left behind */

/* What a row of another kind needs, too. */
int tour_expand(struct tour *, const char *sample, char out[256]); /* {dir}, {key} and {port} in `sample`: each time fresh ones */
enum duo_end tour_trouble(char out[256], const struct ipw_why *);
void tour_end_of(struct tour *, const struct duo *); /* removes names, takes over the signal that came */
