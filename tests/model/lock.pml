/* SPDX-License-Identifier: MIT */
/*
 * The writer lock and the commit (src/ring/queue.c, src/share/user.c): two senders put messages in under a lock that names its owner, a third process mends. Each sender may
 * be killed before any step. The payload of a message is two cells; the tail is stored after both.
 *
 * To hold: what lies below the tail is whole. Nobody owns the lock beside a living owner. What was acknowledged is there. Who lives gets on.
 *
 *      -DCOMMIT_FIRST  a mutant: the tail is stored before the payload. Must fail.
 *      -DSTEAL         a mutant: the lock is taken from an owner that lives. Must fail.
 */
#define SENDERS 2
#define EACH    2
#define ROOM    4

byte cell[8];  /* two of each record: who wrote it, + 1 */
byte tail;
byte lock;     /* 0, or the owner's number + 1 */
bool dead[SENDERS];
byte inside;   /* living ones that are under the lock */
byte acknowledged;
byte ended;

inline perish(me)
{
        if
        :: !dead[1 - me] -> atomic { dead[me] = true; if :: held -> inside-- :: else fi }; goto out /* somebody must live */
        :: skip
        fi
}

proctype sender(byte me)
{
        byte i = 0, at;
        bool held = false;

        do
        :: i == EACH -> break
        :: i < EACH ->
                perish(me);
                atomic { lock == 0 -> lock = me + 1; held = true; inside++; assert(inside == 1) };
                at = tail;
                perish(me);
#ifdef COMMIT_FIRST
                tail = at + 1;
                perish(me);
#endif
                cell[at * 2] = me + 1;
                perish(me);
                cell[at * 2 + 1] = me + 1;
                perish(me);
#ifndef COMMIT_FIRST
                assert(lock == me + 1); /* the last look */
                tail = at + 1;
#endif
                perish(me);
                atomic { acknowledged++; assert(lock == me + 1); lock = 0; held = false; inside-- };
                i++
        od;
out:
        ended++
}

/* Whoever meets the lock of a dead owner frees it: only if it still is that one's. */
active proctype mender()
{
        do
        :: atomic { lock != 0 && dead[lock - 1] -> lock = 0 }
#ifdef STEAL
        :: atomic { lock != 0 && ended < SENDERS -> lock = 0 }
#endif
        :: ended == SENDERS && (lock == 0 || !dead[lock - 1]) -> break
        od
}

active proctype receiver()
{
        byte head = 0;

        do
        :: head < tail -> assert(cell[head * 2] != 0 && cell[head * 2] == cell[head * 2 + 1]); head++
        :: ended == SENDERS && head == tail -> break
        od;
        assert(head >= acknowledged)
}

init {
        atomic { run sender(0); run sender(1) }
}
