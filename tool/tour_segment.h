/* SPDX-License-Identifier: MIT */
/* One row of the tour for raw shared memory. */
#pragma once

#include "tour_row.h"

struct tour_segment {
        const struct ipw_mechanism *mechanism;
        enum duo_end end; /* DUO_WELL: the figures are true */
        char why[256];
        uint64_t bytes;
        int64_t spent; /* ns, to write and to compare them all */
};

void tour_segment(struct tour *, struct tour_segment *);
