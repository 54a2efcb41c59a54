/* SPDX-License-Identifier: MIT */
/* One row of the tour for something to wait at. */
#pragma once

#include "tour_row.h"

struct tour_gate {
        const struct ipw_mechanism *mechanism;
        enum duo_end end; /* DUO_WELL: the figures are true */
        char why[256];
        uint64_t passed;
        int64_t hand_over; /* p50, ns */
        int freed;         /* the kernel freed what a killed holder held */
        int64_t freed_after;
};

void tour_gate(struct tour *, struct tour_gate *);
