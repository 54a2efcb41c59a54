/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: who joins a broadcast begins at the tail that it saw before it was listed. */
#include "ring.h"

#undef set_bits
#define set_bits(word, bits)               \
        0;                                 \
        (void)atomic_fetch_or(word, bits); \
        return

#include "../../src/ring/broadcast.c"
