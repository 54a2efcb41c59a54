/* SPDX-License-Identifier: MIT */
/*
 * A broadcast (src/ring/broadcast.c): a sender and two receivers in two slots. Receiver 0 is there from the beginning; receiver 1 joins at any time into a slot in
 * which an earlier tenant has left a cursor, takes a message or two, and leaves. Either may be killed before any step, and is then found dead. The
 * sender's stores wait in a store buffer, the tail and the payload in their order, and become visible at any later time, or when it runs a fence.
 *
 * The ring holds ROOM messages; positions count on, and a cell remembers which message lies in it.
 *
 * To hold: who has joined gets every message from where it begins, in order, whole, and nothing else (the cell it reads holds that very number). A sender that waits
 * is woken when the last one that it waits for moves, leaves or is found dead (an invalid end state). Without receivers it never waits.
 *
 *      -DJOIN_ONCE       a mutant: the cursor is not stored again after the receiver is listed. Must fail.
 *      -DLISTED_FIRST    a mutant: it is listed before its first cursor is stored: what an earlier tenant has left is believed. Must fail.
 *      -DNO_FENCE        a mutant: the sender looks at the list while its tail is on its way. Must fail.
 *      -DUNCOMMITTED     a mutant: with nobody listed, the sender counts on what it has written and not yet committed. Must fail.
 *      -DNO_WAKE         a mutant: who has joined does not wake a sender that waits for its first cursor. Must fail.
 *      -DASKS_EARLY      a mutant: who has taken something looks how far the other is while its own cursor is on its way. Must fail.
 *      -DNO_MEND_WAKE    a mutant: who finds a receiver dead does not wake the sender. Must fail.
 */
#define MESSAGES 6
#define ROOM     2
#define BATCH    3 /* written before they are committed, if there is room */
#define NONSENSE 99

byte tail, buffered_tail; /* what is visible; what the sender has stored */
byte cell[ROOM];          /* which message lies there; the payload is behind it in the buffer, so never later than the tail */
byte cursor[2];
bit listed[2];
bool dead[2], gone[2];
bool asleep, done;

/* The oldest store of the sender's buffer becomes visible: payload needs no buffer of its own, because too early is what breaks a reader. */
proctype buffer()
{
        do
        :: atomic { tail != buffered_tail -> tail = buffered_tail }
        :: done && tail == buffered_tail -> break
        od
}

inline fence()
{
#ifndef NO_FENCE
        tail = buffered_tail
#else
        skip
#endif
}

/* Up to where all have taken, from what is listed now. Not in one step: the list is looked at once, then each cursor. */
inline look()
{
        fence();
        atomic { see0 = listed[0]; see1 = listed[1] };
#ifdef UNCOMMITTED
        least = at;
#else
        least = buffered_tail;
#endif
        atomic {
                if
                :: see0 && cursor[0] < least -> least = cursor[0]
                :: else
                fi
        };
        atomic {
                if
                :: see1 && cursor[1] < least -> least = cursor[1]
                :: else
                fi
        }
}

proctype sender()
{
        byte at = 0, least = 0, i;
        bit see0, see1;

        do
        :: at == MESSAGES -> break
        :: at < MESSAGES ->
                i = 0;
                do
                :: i == BATCH || at == MESSAGES -> break
                :: i < BATCH && at < MESSAGES ->
                        if
                        :: at - least >= ROOM -> look()
                        :: else
                        fi;
                        if
                        :: at - least >= ROOM -> break
                        :: else -> cell[at % ROOM] = at; at++; i++
                        fi
                od;
                buffered_tail = at; /* all of the batch by one store */
                if
                :: i > 0
                :: i == 0 ->
                        /* no room: to sleep, after a last look that what others store before their look for sleepers cannot escape (wake.pml) */
                        asleep = true;
                        look();
                        if
                        :: at - least >= ROOM ->
                                assert(see0 || see1); /* nobody to wait for */
                                !asleep
                        :: else -> asleep = false
                        fi
                fi
        od;
        done = true
}

inline wake()
{
        asleep = false
}

inline perish(me)
{
        if
        :: dead[me] = true; goto out
        :: skip
        fi
}

/* Is the other no further than we were? Then there is no room yet, and the sender sleeps on. */
inline ask(me)
{
        held_up = listed[1 - me];
        held_up = held_up && cursor[1 - me] < next
}

inline take_one(me)
{
        atomic { next < tail -> got = cell[next % ROOM] };
        perish(me);
        assert(got == next && cell[next % ROOM] == next); /* it was, and still is, what belongs there */
        next++;
#ifdef ASKS_EARLY
        ask(me);
        perish(me);
        cursor[me] = next;
#else
        cursor[me] = next;
        perish(me);
        ask(me);
#endif
        perish(me);
        if
        :: held_up
        :: !held_up -> wake()
        fi
}

proctype stays()
{
        byte next = 0, got;
        bool held_up;

        do
        :: next == MESSAGES -> break
        :: next < MESSAGES -> take_one(0)
        od;
        atomic { listed[0] = 0; gone[0] = true };
        wake();
out:
        skip
}

proctype joins()
{
        byte next, got, taken = 0;
        bool held_up;

        perish(1);
#ifndef LISTED_FIRST
        next = tail;
        perish(1);
        cursor[1] = next;
        perish(1);
#endif
        /* Locked: the cursor is visible by then, and the next load sees the tail of any sender that looked too early to see this. */
        listed[1] = 1;
        perish(1);
#ifndef JOIN_ONCE
        next = tail;
        perish(1);
        cursor[1] = next;
        perish(1);
#endif
#ifndef NO_WAKE
        wake();
#endif
        do
        :: taken == 2 -> break
        :: taken < 2 && next < tail -> take_one(1); taken++
        :: done && tail == buffered_tail && next == tail -> break
        od;
        perish(1);
        atomic { listed[1] = 0; gone[1] = true };
        wake();
out:
        skip
}

/* Whoever finds the dead clears their bits and wakes who waited for them. */
proctype mender()
{
        do
        :: atomic { dead[0] && listed[0] -> listed[0] = 0 };
#ifndef NO_MEND_WAKE
                wake()
#endif
        :: atomic { dead[1] && listed[1] -> listed[1] = 0 };
#ifndef NO_MEND_WAKE
                wake()
#endif
        :: done && (dead[0] || gone[0]) && (dead[1] || gone[1]) -> break
        od
}

init {
        atomic {
                listed[0] = 1;
                cursor[1] = NONSENSE; /* the earlier tenant was broken */
                run buffer();
                run sender();
                run stays();
                run joins();
                run mender()
        }
}
