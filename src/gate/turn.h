/* SPDX-License-Identifier: MIT */
/* How an acquire and a release end: at once when all went well, else by what is alike for all gates. */
#pragma once

#include <stdint.h>

#include "bytes.h"
#include "gate.h"

/* The attempt said `r`, which is not 0: waits if the caller has time, and notes what goes wrong. 0, or what ipw_gate_acquire() says. */
int gate_otherwise(struct gate *, unsigned mode, int64_t timeout, int r);
/* Notes an error, and returns it. */
int gate_failed(struct gate *, int error);

static always_inline int gate_taken(struct gate *g, unsigned mode, int64_t timeout, int r)
{
        return likely(r == 0) ? 0 : gate_otherwise(g, mode, timeout, r);
}

static always_inline int gate_given(struct gate *g, int r)
{
        return likely(r == 0) ? 0 : gate_failed(g, r);
}
