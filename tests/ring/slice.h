/* SPDX-License-Identifier: MIT */
/* Before everything else in builds of the ring for proofs: the slice of a sleep is what the proof says. */
#pragma once

#include <stdint.h>

extern int64_t prove_slice;
#define SHARE_SLICE prove_slice
