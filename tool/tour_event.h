/* SPDX-License-Identifier: MIT */
/* What the tour does with the mechanisms whose messages the kernel makes. */
#pragma once

#include "tour_row.h"

struct tour_events {
        enum duo_end end;
        char why[256];
        unsigned standard, real_time; /* kinds of signals that arrived, with the right number and value */
        unsigned states;              /* of a child: stopped, went on, killed */
        unsigned ticks;
        unsigned missed;
};

void tour_events(struct tour *, struct tour_events *);
