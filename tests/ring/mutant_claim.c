/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: what is claimed is sent at once, before it is filled. */
#include "ring.h"

ssize_t honest_claim(struct ring *, uint64_t size, struct ipw_span *, size_t n);
#define ring_claim honest_claim
#include "../../src/ring/queue.c"
#undef ring_claim

ssize_t ring_claim(struct ring *r, uint64_t size, struct ipw_span *spans, size_t n)
{
        ssize_t done = honest_claim(r, size, spans, n);

        for (ssize_t i = 0; i < done; i++)
                store_relaxed((shared64 *)((unsigned char *)spans[i].data - RING_HEADER), RECORD_MESSAGE | size);
        if (done > 0)
                store_release(&r->words->tail, r->put.lent_to);
        return done;
}
