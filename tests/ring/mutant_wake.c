/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: receivers are woken before the message is there. */
#include "share.h"

static void wake_others(const struct share *s, struct ring_wait *w, unsigned most, const struct ring_wait *filled)
{
        if (w != filled)
                share_wake(s, w, most);
}

#define ring_put(r, m, n)        ((share_wake)(&l->share, &w->ring.words->filled, 1), ring_put(r, m, n))
#define share_wake(s, who, most) (wake_others)(s, who, most, &w->ring.words->filled)

#include "../../src/share/link.c"
