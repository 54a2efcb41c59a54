/* SPDX-License-Identifier: MIT */
/*
 * What a case of the suite for gates is written with. A row is a gate with one choice of its options; a case is a promise of ipcway.h that every row
 * keeps, or refuses by name where the flag that stands for it is missing.
 */
#pragma once

#include <time.h>

#include "ipcway.h"
#include "words.h"

struct gate_row {
        const char *name;
        const char *scheme;
        const char *options; /* "" or "?..." */
        unsigned most;       /* holders at once */
        bool processes;      /* belongs to the process: handles of one do not exclude each other */
};
extern const struct gate_row gate_rows[];
extern const size_t gate_row_count;
bool gate_has_row(const struct ipw_mechanism *);
void gate_address(const struct gate_row *, const char *dir, char *out, size_t room);

struct run {
        const struct gate_row *row;
        const char *dir; /* private, empty */
        char address[300];
        unsigned flags; /* IPW_GATE_* that ipw_describe() promises */
};

struct gate_case {
        const char *name;
        void (*run)(struct run *);
};
extern const struct gate_case gate_cases[];
extern const size_t gate_case_count;

/* Opens, and takes nothing but success. */
struct ipw_gate *open_gate(struct run *, unsigned how);
struct ipw_gate *open_address(const char *address, unsigned how);
/* Opening fails with `error`, and the text names `word`. */
void refused(const char *address, unsigned how, int error, const char *word);
/* The text for the last error of this gate. */
void check_gate_why(struct ipw_gate *, int error, const char *word);

void take(struct ipw_gate *); /* at once */
void give(struct ipw_gate *);
void take_all(struct run *, struct ipw_gate *);
void give_all(struct run *, struct ipw_gate *);

/* A peer that takes all there is, says so by step 1, and holds it until step 2. */
pid_t holder(struct run *);

/* What a program does that knows only the kernel's own calls; each works on all permits of the row. */
struct plain_gate {
        const char *row; /* name of the row, or NULL: of the scheme */
        const char *scheme;
        const char *name;
        long (*open)(const struct run *);
        bool (*try_take)(const struct run *, long); /* false: not free */
        void (*take)(const struct run *, long);
        void (*give)(const struct run *, long);
};
extern const struct plain_gate plain_gates[];
extern const size_t plain_gate_count;
bool plain_fits(const struct plain_gate *, const struct gate_row *);
bool is_posix(const struct run *);  /* a sem_t, wherever it lies */
int plain_mode(const struct run *); /* permissions of the object, by the kernel's own calls */

extern unsigned kills; /* on a row whose holders are freed */

/* From now on everything lies on NFS, if statfs(2) is asked. */
extern bool on_network;
/* It is so much later now, if time(2) is asked. */
extern time_t seconds_later;
