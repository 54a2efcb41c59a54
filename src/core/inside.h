/* SPDX-License-Identifier: MIT */
/* The handle of a segment, for the gates that lie inside. */
#pragma once

#include "segment.h"

struct ipw_segment {
        struct segment *segment;
        char *asked;        /* the address as it was given */
        unsigned gates;     /* open ones that lie in it; atomic */
        struct ipw_why why; /* of the last error */
};
