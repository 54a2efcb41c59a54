/* SPDX-License-Identifier: MIT */
/*
 * A broadcast: each message goes to all who receive, and a sender waits for the slowest of them. Records, tail and the sender's side are those of the queue (queue.c);
 * in the place of one head there is a cursor for each receiver, which nobody else stores, so that receivers know nothing of each other and need no lock.
 *
 * A sender remembers up to where all have taken, as it does of a queue's head, and looks at the cursors only when that does not suffice. What it remembers must
 * stay true when somebody joins. So who joins first stores the tail as its cursor, then lists itself, and then loads the tail once more: that is where it begins. A
 * sender that looked at the list too early to see it had its tail stored before that look, so the second load sees that tail, and what the sender
 * remembers is not beyond it. A sender that sees it listed sees at least the first cursor, which is before the second. The cursor that an earlier tenant left in the slot
 * is never looked at.
 *
 * That holds for what was committed only. A batch or a claim goes beyond the tail that others see, and whoever joins meanwhile begins before it; so nobody counts
 * on more than the tail, also when there is nobody to wait for.
 */
#include "bytes.h"
#include "ring.h"

static struct ring_words *words_of(void *memory, const struct ring_shape *s)
{
        return (struct ring_words *)((char *)memory + s->words[0]);
}

static struct ring_cursor *cursors_of(void *memory, const struct ring_shape *s)
{
        return (struct ring_cursor *)((char *)memory + s->cursors);
}

static uint64_t bit(uint32_t slot)
{
        return (uint64_t)1 << slot;
}

void ring_join(void *memory, const struct ring_shape *s, uint32_t slot)
{
        struct ring_words *w = words_of(memory, s);
        shared64 *cursor = &cursors_of(memory, s)[slot].at;

        store_release(cursor, load_acquire(&w->tail));
        (void)set_bits(&w->receivers, bit(slot));
        catch_up();
        store_release(cursor, load_acquire(&w->tail));
}

void broadcast_use(struct ring *r, void *memory, const struct ring_shape *s, uint32_t slot)
{
        r->cursors = cursors_of(memory, s);
        r->slots = s->slots;
        r->bit = bit(slot);
        r->taken = &r->cursors[slot].at;
        r->take.alone = true;
        r->take.at = load_relaxed(r->taken);
        r->put.other = r->put.at - r->capacity; /* whatever there is: look first */
}

static uint64_t listed(const struct ring *r)
{
        return load_acquire(&r->words->receivers) & (bit(r->slots) - 1);
}

uint64_t broadcast_least(const struct ring *r, uint64_t tail, uint64_t at)
{
        uint64_t behind = at - tail;

        catch_up(); /* who is not listed yet will begin at what this process knows to be committed, or later */
        for (uint64_t left = listed(r); left; left &= left - 1) {
                uint64_t one = at - load_acquire(&r->cursors[__builtin_ctzll(left)].at);

                if (unlikely(one > INT64_MAX)) /* ahead of what was ever written */
                        return at - r->capacity - RING_HEADER;
                behind = MAX(behind, one);
        }
        /* who joins may have been stopped in that, a long way back: there is no room until it gets on */
        return at - MIN(behind, r->capacity);
}

bool broadcast_is_held_up(const struct ring *r, uint64_t at, uint64_t most)
{
        for (uint64_t left = listed(r); left; left &= left - 1)
                if (at - load_acquire(&r->cursors[__builtin_ctzll(left)].at) > most)
                        return true;
        return false;
}

bool broadcast_gave_room(const struct ring *r)
{
        catch_up(); /* our cursor is seen by who was as far as we were and asks after this, or we see theirs */
        for (uint64_t left = listed(r) & ~r->bit; left; left &= left - 1)
                if (load_acquire(&r->cursors[__builtin_ctzll(left)].at) - r->take.was - 1 > INT64_MAX) /* there, or behind that */
                        return false;
        return true;
}

bool broadcast_is_ours(const struct ring *r)
{
        atomic_thread_fence(memory_order_acquire); /* what was read was read before this look */
        return load_relaxed(&r->words->receivers) & r->bit && load_relaxed(r->taken) == r->take.at;
}

int ring_slowest(const struct ring *r, uint64_t *behind)
{
        uint64_t tail = load_acquire(&r->words->tail);
        int slot = -1;

        *behind = 0;
        for (uint64_t left = listed(r); left; left &= left - 1) {
                int i = __builtin_ctzll(left);
                uint64_t one = tail - load_acquire(&r->cursors[i].at);

                if (one > INT64_MAX) /* it has gone on since */
                        one = 0;
                if (slot >= 0 && one <= *behind)
                        continue;
                slot = i;
                *behind = one;
        }
        return slot;
}
