/* SPDX-License-Identifier: MIT */
/*
 * Sleep and wake. Both sides store first and then look: the sleeper sets its bit and looks for a message, the sender stores the tail and looks for bits. One of
 * them sees the other, if neither look may come before its store; that takes a barrier on both sides, and the sleeper runs both: its own, and by
 * membarrier(2) one on every other processor that runs a user of a ring.
 *
 * Where a user cannot call that, it sets RING_FENCE for good. Then a waker looks at the bits with a locked operation on the same word as the sleeper's: of
 * two such, the later one sees what the earlier one's process stored before.
 *
 * A waker chooses who is to wake, clears those bits, moves `turn` and wakes by bit. So a message wakes one receiver and not all, and a sleeper that is slow to get up is
 * not woken again by each message that comes meanwhile. `turn` is read before the bit is set: who was chosen between that and the sleep does not sleep.
 * Who was chosen and has found more than it takes passes the wake on: it may have been awake already, on its way to an earlier message.
 * Killed between clearing and waking, a waker leaves somebody asleep for the rest of its slice.
 */
#include <errno.h>
#include <linux/membarrier.h>

#include "bytes.h"
#include "share.h"
#include "sys.h"

void share_prepare_barrier(struct share *s)
{
#ifdef SHARE_NO_MEMBARRIER /* a build for tests */
        s->barrier = false;
#else
        s->barrier = sys_membarrier("let sleepers make us catch up", MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
#endif
        s->spins = sysconf(_SC_NPROCESSORS_ONLN) > 1;
        for (uint32_t i = 0; i < s->shape.rings && !s->barrier; i++) {
                struct ring_words *w = (struct ring_words *)((char *)s->object.data + s->shape.words[i]);

                (void)set_bits(&w->writer_free.sleepers, RING_FENCE);
                (void)set_bits(&w->reader_free.sleepers, RING_FENCE);
                (void)set_bits(&w->filled.sleepers, RING_FENCE);
                (void)set_bits(&w->emptied.sleepers, RING_FENCE);
        }
}

void share_barrier(const struct share *s, struct ring_wait *w)
{
        if (s->barrier && sys_membarrier("all who use a ring catch up", MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0)
                return;
        (void)set_bits(&w->sleepers, RING_FENCE);
}

int share_sleep(const struct share *s, struct ring_wait *w, bool (*ready)(const void *), const void *context, int64_t until, bool *chosen)
{
        uint64_t me = (uint64_t)1 << s->index;
        uint32_t seen = load_acquire(&w->turn);
        int r = 0;

        (void)set_bits(&w->sleepers, me);
        share_barrier(s, w);
        if (!ready(context))
                r = sys_futex_wait("sleep until the other side wakes us, or for a slice", &w->turn, seen, (uint32_t)me,
                                   MIN(until, clock_now() + SHARE_SLICE));
        *chosen = !(clear_bits(&w->sleepers, me) & me);
        return r == -EAGAIN ? 0 : r;
}

/* `turn` moves first: who has read it before and does not sleep yet will not. */
void share_stir(const struct share *s, struct ring_wait *w)
{
        (void)add_one(&w->turn);
        (void)sys_futex_wake("stop the sleep of this handle", &w->turn, (uint32_t)1 << s->index);
}

/* Up to `most` of them, not always the same first. */
static uint64_t choose(uint64_t asleep, unsigned most, uint32_t turn)
{
        uint64_t chosen = 0, later = asleep & ~(((uint64_t)1 << turn % IMAGE_SLOTS) - 1);

        for (; most && asleep != chosen; most--) {
                uint64_t from = later & ~chosen ? later & ~chosen : asleep & ~chosen;

                chosen |= from & -from;
        }
        return chosen;
}

/* Wakes up to `most`; how many of those bits were still set. One that we saw may have been taken back by its owner, who then is no sleeper to count on. */
static unsigned wake_some(const struct share *s, struct ring_wait *w, uint64_t asleep, unsigned most)
{
        uint64_t chosen = choose(asleep, most, load_relaxed(&w->turn));

        chosen &= clear_bits(&w->sleepers, chosen);
        if (chosen) {
                (void)add_one(&w->turn);
                (void)sys_futex_wake("wake who waits for this", &w->turn, (uint32_t)chosen);
        }
        return (unsigned)__builtin_popcountll(chosen);
}

void share_wake_(const struct share *s, struct ring_wait *w, unsigned most)
{
        uint64_t asleep = load_relaxed(&w->sleepers);

        if (asleep & RING_FENCE)
                asleep = set_bits(&w->sleepers, 0);
        for (int i = 0; i < IMAGE_SLOTS && most && asleep & UINT32_MAX; i++) {
                unsigned woken = wake_some(s, w, asleep & UINT32_MAX, most);

                most -= MIN(woken, most);
                asleep = load_relaxed(&w->sleepers); /* after a locked operation of ours on that word */
        }
        if (load_relaxed(&w->bells))
                (void)sys_touch("ring for those who wait in poll", s->fd);
}
