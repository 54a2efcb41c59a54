/* SPDX-License-Identifier: MIT */
/* What the programs that hold a table of bars share: their options, where they measure, and how they end. The engine measures. */
#pragma once

#include <engine.h>

struct program {
        struct bench_plan plan;
        int cpus[2]; /* the first two that this process may use; -1: there is none */
        int quick;   /* few and short rounds: they show that all works, and prove nothing */
        int json;
        char **words;
        int n;
        int worst; /* of what was found: 0 all hold, 1 one is short or void, 3 one could not be measured */
        char dir[64];
};

/* [--quick] [--json] [--rounds N] [WORD...]. 0, or 2 after it has said how it is used. */
int program_begin(struct program *, const char *name, int argc, char **argv, unsigned rounds, double ms);

/* Does the text hold one of the words, or are there none? */
int program_wants(const struct program *, const char *text);

/* What measuring a row came to: 0 or an error of the engine. Returns whether there are figures; else it has said why, or the program is to end. */
int program_has(struct program *, struct bench_job jobs[], size_t n, const char *name, int result);

/* A row, as a line of JSON. */
void program_json(const char *name, const char *measure, double bar, const struct bench_ratio *);

/* And this verdict. */
void program_note(struct program *, const char *verdict);

/* Is somebody tired of it? */
int program_is_stopped(void);

/* Leaves nothing behind. The exit status; or it ends as it was told to, by that signal. */
int program_end(struct program *);
