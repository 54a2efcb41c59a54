/* SPDX-License-Identifier: MIT */
/* What is worth knowing of each signal. */
#pragma once

#include <stddef.h>

struct signal_facts {
        int number;
        const char *action; /* what it does if nobody cares: "ends", "ends, core", "stops", "goes on", "nothing" */
        const char *when;   /* who sends it, and when: one line */
        const char *advice; /* what to do about it; for `signal list SIG`. Lines of up to 100 columns */
        int fault;          /* raised by what a thread itself does */
};

/* The facts of a signal, also of a real-time one. NULL: there is no such signal. */
const struct signal_facts *signal_facts(int number);
int signal_is_catchable(int number);
int signal_is_queued(int number);
