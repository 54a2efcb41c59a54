/* SPDX-License-Identifier: MIT */
/* A sub-command: what help says of it, which settings it takes, what it does. main.c holds the list. */
#pragma once

#include "setting.h"

/* Exit statuses. The last three are timeout(1)'s, for commands that run another one. */
enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2, TIMED_OUT = 124, OURS_FAILED = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

struct command {
        const char *name;
        const char *group;     /* the heading it stands under in the help */
        const char *arguments; /* "ADDR [MESSAGE...]" */
        const char *verbs;     /* "create|wait": the first argument is one of them; NULL: it has none */
        const char *bare;      /* an address without a mechanism is a name of this one; NULL: it must have one */
        const char *summary;   /* one line */
        const char *text;      /* the rest of its help: what to expect, examples */
        const struct setting *settings;
        int (*run)(const struct arguments *);
        const char *
                wrapper; /* its status is that of another command, so that wrong usage is OURS_FAILED, too: "", or the word it must begin with */
};

extern const struct command command_send, command_recv, command_pair, command_accept, command_serve, command_wait, command_bridge,
        command_run, command_lock, command_sem, command_segment, command_remove, command_mechanisms, command_describe, command_tour,
        command_signal, command_clean, command_ls, command_why, command_deadlocks, command_leaks, command_snapshot, command_diff,
        command_doctor, command_log, command_bench, command_advise;

/* Another name for a command, which fixes its role: nngcat's words. */
struct alias {
        const char *name;
        const struct command *command;
        unsigned role;
};

/* All of them; the first ends with NULL, the other one with a name that is NULL. In the order of the help. */
const struct command *const *command_list(void);
const struct alias *command_aliases(void);
const struct command *command_find(const char *name); /* by either name; NULL */
