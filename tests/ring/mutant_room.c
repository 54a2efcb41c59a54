/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: who makes room in a broadcast wakes senders before its cursor is stored. */
#include "share.h"

static void wake_others(const struct share *s, struct ring_wait *w, unsigned most, const struct ring_wait *emptied)
{
        if (w != emptied)
                share_wake(s, w, most);
}

#define ring_take(r, m, n)       ((share_wake)(&l->share, &w->ring.words->emptied, SHARE_ALL), ring_take(r, m, n))
#define share_wake(s, who, most) (wake_others)(s, who, most, &w->ring.words->emptied)

#include "../../src/share/link.c"
