/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: what is borrowed is taken at once, and is lost with whoever reads it. */
#include "ring.h"

ssize_t honest_borrow(struct ring *, struct ipw_span *, size_t n);
#define ring_borrow honest_borrow
#include "../../src/ring/queue.c"
#undef ring_borrow

ssize_t ring_borrow(struct ring *r, struct ipw_span *spans, size_t n)
{
        ssize_t done = honest_borrow(r, spans, n);

        if (done > 0)
                store_release(&r->words->head, r->take.lent_to);
        return done;
}
