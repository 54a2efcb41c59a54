/* SPDX-License-Identifier: MIT */
/*
 * Sleep and wake (src/share/wake.c): one sender, two receivers that sleep, of which one may go at any time. Every store of the sender to `tail` waits in a store buffer and may become visible at any
 * later time, or when something forces it: a locked operation of its own, or the sleeper's membarrier(2). The sender may be killed before any step;
 * its buffer is then written, as processors do.
 *
 * To hold: while the sender lives, no message stays behind while a receiver sleeps that nobody will wake (an invalid end state). After it was killed, sleepers
 * look again after their slice. No message is taken twice.
 *
 *      -DNO_BARRIER    a mutant: the sleeper does not make the sender catch up. Must fail.
 *      -DTURN_LATE     a mutant: `turn` is read after the bit is set. Must fail.
 *      -DKEEPS_WAKE    a mutant: who was woken and goes without taking anything does not wake another instead. Must fail.
 *      -DSTALE_CHOICE  a mutant: whose bit was seen is woken, though it may have taken the bit back. Must fail.
 *      -DFENCED        no membarrier(2): sender and sleeper use locked operations on one word
 */
#define MESSAGES  2
#define RECEIVERS 2

byte tail, head;   /* what is visible */
byte stored;       /* what the sender has stored; tail follows */
byte turn;
bit asks[RECEIVERS], sleeps[RECEIVERS];
bool dead, done;
byte taken;

#define flush_now tail = stored

/* The store buffer drains whenever it likes. */
active proctype buffer()
{
        do
        :: atomic { tail != stored -> flush_now }
        :: (done || dead) && tail == stored -> break
        od
}

/* futex(2): who sleeps on another value of `turn` than it has, wakes; by bit. */
inline wake(who)
{
        sleeps[who] = 0
}

active proctype sender()
{
        byte i = 0;
        bit saw0, saw1, who, found;

        do
        :: i == MESSAGES -> break
        :: i < MESSAGES ->
                if :: dead = true; goto killed :: skip fi;
                stored++; /* behind it, the message is whole */
                if :: dead = true; goto killed :: skip fi;
#ifdef FENCED
                atomic { flush_now; saw0 = asks[0]; saw1 = asks[1] } /* a locked look: the buffer is drained by it */
#else
                atomic { saw0 = asks[0]; saw1 = asks[1] }
#endif
again:
                if
                :: saw0 || saw1 ->
                        if :: dead = true; goto killed :: skip fi;
                        /* choose one; clearing its bit is locked, and tells whether it was still set */
                        if
                        :: saw0 -> atomic { flush_now; saw0 = asks[0]; asks[0] = 0; who = 0; found = saw0 }
                        :: saw1 -> atomic { flush_now; saw1 = asks[1]; asks[1] = 0; who = 1; found = saw1 }
                        fi;
#ifndef STALE_CHOICE
                        if
                        :: !found -> atomic { saw0 = asks[0]; saw1 = asks[1] }; goto again
                        :: else
                        fi;
#endif
                        if :: dead = true; goto killed :: skip fi;
                        turn++;
                        if :: dead = true; goto killed :: skip fi;
                        if :: who == 0 -> wake(0) :: else -> wake(1) fi
                :: else
                fi;
                i++
        od;
        done = true;
killed:
        skip
}

proctype receiver(byte me)
{
        byte seen;
        bit chosen = false;

        do
        :: atomic { head < tail -> head++; taken++; assert(taken <= MESSAGES) }; /* under its lock: see lock.pml */
                chosen = false;
                if
                :: me == 1 -> break /* has enough, and goes */
                :: skip
                fi
        :: head == tail && (taken == MESSAGES || (dead && tail == stored)) -> break
        :: head == tail && taken < MESSAGES ->
#ifndef TURN_LATE
                seen = turn;
#endif
                asks[me] = 1;
#ifdef TURN_LATE
                seen = turn;
#endif
#ifndef NO_BARRIER
                flush_now; /* membarrier(2), or, FENCED, the locked operation that set the bit: what was stored before is seen */
#endif
                if
                :: head < tail -> skip
                :: head == tail ->
                        atomic { /* the kernel compares and sleeps in one */
                                if
                                :: seen == turn -> sleeps[me] = 1
                                :: else
                                fi
                        };
                        if
                        :: !sleeps[me]
                        :: dead -> sleeps[me] = 0 /* the slice is over */
                        :: taken == MESSAGES -> sleeps[me] = 0 /* nothing more will come: not what is asked here */
                        fi
                fi;
                atomic { chosen = !asks[me]; asks[me] = 0 };
                if
                :: me == 1 -> /* is interrupted, and goes without another look */
#ifndef KEEPS_WAKE
                        if /* a wake was spent on us: to another with it */
                        :: chosen && head < tail && asks[1 - me] -> asks[1 - me] = 0; turn++; wake(1 - me)
                        :: else
                        fi;
#endif
                        break
                :: skip
                fi
        od
}

init {
        run receiver(0);
        run receiver(1)
}
