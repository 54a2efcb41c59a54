/* SPDX-License-Identifier: MIT */
/*
 * An open end of a ring. Sending and receiving touch different fields, so each may have a thread.
 *
 * A try costs no system call. Only one that fails looks further: is the lock's owner dead, is the other side gone, was the object removed? The kernel is asked when a
 * slice of sleep has passed, when a bell told that somebody went, and else every few milliseconds.
 *
 * What is lent holds the lock from the claim to its commit, or from the loan until it is given back: to the others that is a process which takes its time.
 *
 * With several receivers a message that does not fit the caller's room is taken out and kept here, because the next call is to get that one and no
 * other. A lone receiver leaves it where it is, and so it is not even lost with the process; so does each of a broadcast.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "message.h"
#include "one.h"
#include "readiness.h"
#include "share.h"
#include "sys.h"
#include "why.h"

enum {
        LOOK = 5000000,  /* ns between questions to the kernel whether others live */
        LOOK_SENDS = 16, /* usual sends between looks at the clock */
        CONTENDED = 64,  /* looks at a lock that another holds */
        PAUSES = 64,     /* looks before the processor is given away; some 1.5 us */
        FEW_PAUSES = 8,  /* where that would keep the other side from its work */
        RUN = 3,         /* messages in a row that make it worth while to let more gather: */
        BACK_OFF = 31,   /* pauses for that */
        SWITCH = 1500,   /* ns: who gives the processor away and is back later than that has let another work */
        BATCH = 1024,
};

struct way {
        struct ring ring;
        struct ring_wait *changed; /* what we wait for: filled, or emptied */
        struct ring_wait *unlocked;
        shared64 *lock;
        shared64 *others; /* users of the other side */
        shared32 *others_ever;
        uint32_t ever; /* when we came */
        bool ends;     /* -EPIPE when the others have gone */
        bool met;      /* there was another */
        bool handed;   /* the other may be an end that nobody has opened yet: */
        int other_end;
        bool busy;             /* the last try found the lock taken */
        bool look;             /* ask the kernel at the next chance */
        bool chosen;           /* receiving: a wake was spent on us */
        bool lent;             /* spans are claimed, or borrowed */
        bool idle;             /* the last sleep was a whole slice: the other side is not about to come */
        bool crowded;          /* the other side needs our processor to get on, it seems */
        bool paused;           /* the looks without giving the processor away were made already */
        const uint64_t *moved; /* messages ever; */
        uint64_t still;        /* and when a try last found none, or no room */
        atomic_bool interrupted;
        bool to_all; /* a broadcast */
        int64_t looked;
        struct share_bell bell;
        struct readiness readiness;
};

struct shared_link {
        struct link link;
        struct share share;
        struct way way[2]; /* by direction - 1 */
        int64_t spin;
        struct ipw_address *goes; /* keep=0: what is to be removed by the last */
        struct {
                char *data;
                size_t size, room;
                bool kept;
                bool lent;
        } hand;
};

static struct shared_link *shared_of(struct link *link)
{
        return container_of(link, struct shared_link, link);
}

static inline void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/*
 * Whoever moves many messages and finds no more first lets some gather: each look takes a line away from the other side, which wants to store there, so to look less
 * often is faster for both.
 */
static always_inline bool runs(const struct way *w)
{
        return *w->moved - w->still >= RUN;
}

static always_inline void let_gather(struct way *w)
{
        for (int i = 0; runs(w) && !w->busy && !w->crowded && i < BACK_OFF; i++)
                pause_processor();
        w->still = *w->moved;
}

static always_inline int looks(const struct way *w)
{
        return w->crowded ? FEW_PAUSES : PAUSES;
}

/* ---- the other side ------------------------------------------------------------------------------------------------------------------- */

/* Was there another, ever? To be asked before whether one is there now: they are listed first and counted then. */
static bool have_met(const struct way *w)
{
        return w->met || load_acquire(w->others_ever) != w->ever;
}

/* May be asked at any time; costs no system call. */
static bool others_left(const struct way *w)
{
        return w->ends && have_met(w) && load_acquire(w->others) == 0;
}

/*
 * Are all the others gone, and were there any? Of ends that are handed on, one that was not opened yet may still be: it is asked for first, because whoever
 * opens it takes a place before letting go of it.
 */
static bool is_over(struct shared_link *l, struct way *w, bool look)
{
        if (!w->ends)
                return false;
        if (w->handed && (look || load_acquire(w->others) == 0) && share_end_pending(&l->share, w->other_end))
                return false;
        w->met = have_met(w);
        if (share_anyone(&l->share, w->others, look)) {
                w->met = true;
                return false;
        }
        return w->handed || w->met;
}

/* Is it time to ask the kernel? */
static never_inline bool is_due(struct way *w)
{
        int64_t now = clock_coarse();

        if (!w->look && now - w->looked < LOOK)
                return false;
        w->look = false;
        w->looked = now;
        return true;
}

/* Another holds the lock: a moment's patience, then is it dead? -EBUSY: it lives, and may be stopped. */
static int contend(struct shared_link *l, struct way *w, uint64_t holder)
{
        for (int i = 0; i < CONTENDED; i++) {
                if (load_relaxed(w->lock) != holder)
                        return 0;
                pause_processor();
        }
        return is_due(w) ? share_mend_lock(&l->share, w->lock, holder) : 0;
}

/* ---- bells ---------------------------------------------------------------------------------------------------------------------------- */

static bool may_go_on(const struct shared_link *l, const struct way *w, unsigned direction)
{
        return direction == IPW_RECV ? l->hand.kept || ring_has_message(&w->ring)
                                     : ring_has_room(&w->ring, MAX(w->ring.put.wanted, RING_HEADER));
}

static uint64_t holder_of(const struct way *w, unsigned direction)
{
        return direction == IPW_SEND ? w->ring.put.holder : w->ring.take.holder;
}

/*
 * Another is in the middle of a send or receive, and may be stopped there: what is in the ring is no reason to try again before it lets go of the lock, and
 * that rings. It may have died before anything could ring, so that is asked for. Is the lock free, or another's?
 */
static bool settle_busy(struct shared_link *l, struct way *w, unsigned direction)
{
        uint64_t holder = holder_of(w, direction);

        w->look |= share_bell_drain(&w->bell) == BELL_GONE;
        share_bell_arm(&w->bell, &l->share, w->unlocked);
        return load_relaxed(w->lock) != holder || share_mend_lock(&l->share, w->lock, holder) < 0 || load_relaxed(w->lock) != holder;
}

/* After a try: the descriptor is ready while a try may succeed, and a bell is armed while not. */
static void settle(struct shared_link *l, struct way *w, unsigned direction, ssize_t result)
{
        bool more;

        if (likely(w->bell.watch < 0))
                return;
        more = !w->busy && (may_go_on(l, w, direction) || result == -EPIPE || result == -ESTALE);
        if (more) {
                share_bell_disarm(&w->bell, &l->share);
        } else if (w->busy) {
                more = settle_busy(l, w, direction);
        } else {
                int rung = result == -EAGAIN ? share_bell_drain(&w->bell) : BELL_SILENT;
                bool gone = rung == BELL_GONE || (rung == BELL_CHANGED && share_still_there(&l->share) < 0);

                w->look |= gone; /* the next try asks who, so there must be one */
                share_bell_arm(&w->bell, &l->share, w->changed);
                more = gone || may_go_on(l, w, direction) || others_left(w);
        }
        readiness_tell(&w->readiness, more);
}

static int shared_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[direction - 1];
        struct pollfd raw = { .events = POLLIN };
        int r = w->bell.watch < 0 ? share_bell_open(&w->bell, &l->share) : 0;

        if (r < 0)
                return r;
        raw.fd = share_bell_fd(&w->bell);
        share_bell_arm(&w->bell, &l->share, w->changed);
        r = readiness_pollfd(&w->readiness, &raw, may_go_on(l, w, direction) || is_over(l, w, true), out);
        if (r < 0)
                share_bell_close(&w->bell, &l->share, 0);
        return r;
}

/* ---- sending -------------------------------------------------------------------------------------------------------------------------- */

static always_inline bool anyone_waits(const struct ring_wait *w)
{
        return (load_relaxed(&w->sleepers) | load_relaxed(&w->bells)) != 0;
}

static never_inline ssize_t sent_to_waiters(struct shared_link *l, struct way *w, ssize_t n)
{
        share_wake(&l->share, w->unlocked, SHARE_ALL);
        if (n > 0)
                share_wake(&l->share, &w->ring.words->filled, w->to_all ? SHARE_ALL : (unsigned)n);
        settle(l, w, IPW_SEND, n);
        return n;
}

static always_inline ssize_t sent(struct shared_link *l, struct way *w, ssize_t n)
{
        w->busy = false;
        share_look();
        if (unlikely(anyone_waits(w->unlocked) || anyone_waits(&w->ring.words->filled) || w->bell.watch >= 0))
                return sent_to_waiters(l, w, n);
        return n;
}

/* Has the receiver gone, or have all of them? A look at the ring; every few milliseconds the kernel is asked. */
static always_inline bool is_left(struct shared_link *l, struct way *w)
{
        return w->ends && is_over(l, w, load_relaxed(w->others) == 0 || is_due(w));
}

/* What a try says in the end that was no success. */
static ssize_t not_sent(struct shared_link *l, struct way *w, ssize_t r)
{
        w->busy = r == -EBUSY;
        if (r == -EBUSY)
                r = -EAGAIN;
        if (r == -EAGAIN && is_due(w)) {
                if (share_still_there(&l->share) < 0)
                        r = -ESTALE;
                else if (is_over(l, w, true))
                        r = -EPIPE;
                else if (w->to_all)
                        share_mend_all(&l->share, w->others); /* then there may be room */
        }
        if (!w->busy)
                return sent(l, w, r);
        settle(l, w, IPW_SEND, r);
        return r;
}

static always_inline ssize_t try_send(struct link *link, const struct ipw_message *m, size_t n)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_SEND - 1];
        ssize_t r;

        if (is_left(l, w))
                return -EPIPE;
        r = ring_put(&w->ring, m, n);
        if (unlikely(r == -EBUSY)) {
                r = contend(l, w, w->ring.put.holder);
                if (r == 0)
                        r = ring_put(&w->ring, m, n);
        }
        return likely(r > 0) ? sent(l, w, r) : not_sent(l, w, r);
}

static ssize_t shared_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        return try_send(link, m, n);
}

static never_inline ssize_t send_unusual(struct link *link, const struct ipw_message *m, int64_t timeout)
{
        return one_sent(link, m, timeout, try_send(link, m, 1));
}

static never_inline ssize_t sent_usual(struct link *link, const struct ipw_message *m)
{
        struct shared_link *l = shared_of(link);

        (void)sent(l, &l->way[IPW_SEND - 1], 1);
        return one_sent(link, m, 0, 1);
}

/* Is all well with the other side, as far as can be seen without a question? Now and then it is to be asked. */
static always_inline bool seems_there(const struct way *w)
{
        return !w->ends || (load_relaxed(w->others) && *w->moved % LOOK_SENDS);
}

/* Nothing is saved and nothing called on the shortest way, see ring_put_usual(). */
static ssize_t shared_send_one(struct link *link, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_SEND - 1];

        if (unlikely(!seems_there(w) || !ring_put_usual(&w->ring, m)))
                return send_unusual(link, m, timeout);
        share_look();
        if (unlikely(w->busy || anyone_waits(w->unlocked) || anyone_waits(&w->ring.words->filled) || w->bell.watch >= 0))
                return sent_usual(link, m);
        one_count(&link->stats.sent, 1);
        one_count(&link->stats.sent_bytes, m->size);
        return (ssize_t)m->size;
}

static ssize_t shared_claim(struct link *link, size_t size, struct ipw_span *spans, size_t n)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_SEND - 1];
        ssize_t r;

        if (is_left(l, w))
                return -EPIPE;
        r = ring_claim(&w->ring, size, spans, n);
        if (unlikely(r == -EBUSY)) {
                r = contend(l, w, w->ring.put.holder);
                if (r == 0)
                        r = ring_claim(&w->ring, size, spans, n);
        }
        if (unlikely(r < 0))
                return not_sent(l, w, r);
        w->busy = false;
        w->lent = true;
        return r;
}

static int shared_commit(struct link *link, const struct ipw_span *spans, size_t n)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_SEND - 1];
        int r = ring_commit(&w->ring, spans, n);

        if (unlikely(r == -EINVAL))
                return r;
        w->lent = false;
        (void)sent(l, w, r < 0 ? r : (ssize_t)n);
        return r;
}

/* ---- receiving ------------------------------------------------------------------------------------------------------------------------ */

/* If more is there, somebody else may sleep for whom that wake was as good. */
static void pass_on(struct shared_link *l, struct way *w)
{
        w->chosen = false;
        if (ring_has_message(&w->ring))
                share_wake(&l->share, w->changed, 1);
}

static never_inline ssize_t taken_from_waiters(struct shared_link *l, struct way *w, ssize_t n)
{
        share_wake(&l->share, w->unlocked, SHARE_ALL);
        if (unlikely(w->chosen))
                pass_on(l, w);
        if (n > 0 && anyone_waits(&w->ring.words->emptied) && (!w->to_all || broadcast_gave_room(&w->ring)))
                share_wake(&l->share, &w->ring.words->emptied, SHARE_ALL);
        settle(l, w, IPW_RECV, n);
        return n;
}

static always_inline ssize_t taken(struct shared_link *l, struct way *w, ssize_t n)
{
        w->busy = false;
        share_look();
        if (unlikely(w->chosen || anyone_waits(w->unlocked) || anyone_waits(&w->ring.words->emptied) || w->bell.watch >= 0))
                return taken_from_waiters(l, w, n);
        return n;
}

/* Several receivers, and no room at the caller's: what is next now may be another than a moment ago. `size` is what it seemed to need. */
static ssize_t take_in_hand(struct shared_link *l, struct way *w, size_t size)
{
        struct ipw_message m = { .size = size };
        ssize_t r = -EMSGSIZE;

        while (r == -EMSGSIZE) {
                char *more = l->hand.data;

                if (m.size > l->hand.room) {
                        more = sys_realloc("room for what the caller has no room for", l->hand.data, m.size);
                        if (!more)
                                return -EMSGSIZE; /* it stays in the ring: good as well, if no other takes it */
                        l->hand.data = more;
                        l->hand.room = m.size;
                }
                m = (struct ipw_message){ .data = more, .capacity = l->hand.room };
                r = ring_take(&w->ring, &m, 1);
        }
        if (r != 1)
                return r;
        l->hand.size = m.size;
        l->hand.kept = true;
        return -EMSGSIZE;
}

static ssize_t recv_kept(struct shared_link *l, struct ipw_message *m)
{
        m->size = l->hand.size;
        if (l->hand.size > m->capacity)
                return -EMSGSIZE;
        if (l->hand.size)
                memcpy(m->data, l->hand.data, l->hand.size);
        m->flags = 0;
        l->hand.kept = false;
        settle(l, &l->way[IPW_RECV - 1], IPW_RECV, 1);
        return 1;
}

/* Nothing there: because it is the end, or the object has gone? 0: what a sender left before it went is there now. */
static ssize_t nothing_there(struct shared_link *l, struct way *w)
{
        bool due = is_due(w);

        if (due && share_still_there(&l->share) < 0)
                return -ESTALE;
        if (!is_over(l, w, due))
                return -EAGAIN;
        return ring_has_message(&w->ring) ? 0 : -EPIPE;
}

/* What a try says in the end that took nothing, or much later than the first. */
static ssize_t not_taken(struct shared_link *l, struct way *w, ssize_t r)
{
        w->busy = r == -EBUSY;
        if (!w->busy)
                return taken(l, w, r);
        settle(l, w, IPW_RECV, -EAGAIN);
        return -EAGAIN;
}

static ssize_t recv_on(struct shared_link *l, struct way *w, struct ipw_message *m, size_t n, ssize_t r)
{
        if (r == -EBUSY) {
                r = contend(l, w, w->ring.take.holder);
                if (r == 0)
                        r = ring_take(&w->ring, m, n);
        }
        if (r == -EAGAIN) {
                r = nothing_there(l, w);
                if (r == 0)
                        r = ring_take(&w->ring, m, n);
        }
        if (r == -EMSGSIZE && !w->ring.take.alone) {
                r = take_in_hand(l, w, m->size);
                if (l->hand.kept)
                        m->size = l->hand.size;
                (void)taken(l, w, l->hand.kept ? 1 : 0);
                return r == -EBUSY ? -EAGAIN : r;
        }
        return not_taken(l, w, r);
}

static always_inline ssize_t try_recv(struct link *link, struct ipw_message *m, size_t n)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_RECV - 1];
        ssize_t r;

        if (unlikely(l->hand.kept))
                return recv_kept(l, m);
        r = ring_take(&w->ring, m, n);
        return likely(r > 0) ? taken(l, w, r) : recv_on(l, w, m, n, r);
}

static ssize_t shared_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        return try_recv(link, m, n);
}

/* The first looks of a wait, before it is one: what comes now is taken on the shortest way. The rest is for shared_wait(). */
static never_inline ssize_t recv_soon(struct shared_link *l, struct way *w, struct ipw_message *m)
{
        ssize_t r = -EAGAIN;

        let_gather(w);
        for (int i = 0; i < looks(w) && r == -EAGAIN; i++) {
                if (ring_has_message(&w->ring))
                        r = ring_take(&w->ring, m, 1);
                else
                        pause_processor();
        }
        w->crowded &= r == -EAGAIN;
        w->paused = true;
        return r;
}

static ssize_t shared_recv_one(struct link *link, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_RECV - 1];
        ssize_t r;

        if (unlikely(l->hand.kept))
                return one_received(link, m, timeout, recv_kept(l, m));
        if (unlikely(ring_is_drained(&w->ring) && runs(w)) && timeout != 0)
                let_gather(w);
        r = ring_take(&w->ring, m, 1);
        if (r == -EAGAIN && timeout != 0 && l->share.spins && l->spin && !w->idle)
                r = recv_soon(l, w, m);
        return one_received(link, m, timeout, likely(r > 0) ? taken(l, w, r) : recv_on(l, w, m, 1, r));
}

static ssize_t borrow_kept(struct shared_link *l, struct ipw_span *span)
{
        *span = (struct ipw_span){ .data = l->hand.data, .size = l->hand.size };
        l->hand.lent = true;
        return 1;
}

static int give_back_kept(struct shared_link *l, size_t n)
{
        l->hand.lent = false;
        l->hand.kept = n == 0;
        settle(l, &l->way[IPW_RECV - 1], IPW_RECV, 1);
        return 0;
}

static ssize_t shared_borrow(struct link *link, struct ipw_span *spans, size_t n)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_RECV - 1];
        ssize_t r;

        if (unlikely(l->hand.kept))
                return borrow_kept(l, spans);
        r = ring_borrow(&w->ring, spans, n);
        if (unlikely(r == -EBUSY)) {
                r = contend(l, w, w->ring.take.holder);
                if (r == 0)
                        r = ring_borrow(&w->ring, spans, n);
        }
        if (unlikely(r == -EAGAIN)) {
                r = nothing_there(l, w);
                if (r == 0)
                        r = ring_borrow(&w->ring, spans, n);
        }
        if (unlikely(r < 0))
                return not_taken(l, w, r);
        w->busy = false;
        w->lent = true;
        return r;
}

static int shared_give_back(struct link *link, const struct ipw_span *spans, size_t n)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[IPW_RECV - 1];
        int r;

        if (unlikely(l->hand.lent))
                return give_back_kept(l, n);
        r = ring_give_back(&w->ring, spans, n);
        if (unlikely(r == -EINVAL))
                return r;
        w->lent = false;
        (void)taken(l, w, r < 0 ? r : (ssize_t)n);
        return r;
}

/* ---- waiting -------------------------------------------------------------------------------------------------------------------------- */

struct question {
        const struct shared_link *link;
        const struct way *way;
        unsigned direction;
};

/* Would a try succeed, or say something new? Looks at the ring only. */
static bool is_ready(const void *context)
{
        const struct question *q = context;
        const struct way *w = q->way;

        if (load_relaxed(&w->interrupted))
                return true;
        if (w->busy)
                return load_relaxed(w->lock) != holder_of(w, q->direction);
        return may_go_on(q->link, w, q->direction) || others_left(w);
}

/* A moment without giving the processor away. */
static bool look_closely(struct way *w, const struct question *q)
{
        bool ready = false;

        let_gather(w);
        for (int i = 0; i < looks(w) && !ready; i++) {
                ready = is_ready(q);
                if (!ready)
                        pause_processor();
        }
        w->crowded &= !ready;
        return ready;
}

/* Then a while giving it to whoever wants it: to sleep and be woken takes longer than both. */
static bool spin(const struct shared_link *l, struct way *w, const struct question *q, int64_t until)
{
        int64_t before = clock_now(), end = MIN(until, before + l->spin), after;
        bool ready = l->share.spins && !w->paused && look_closely(w, q);

        w->paused = false;
        for (; !ready && before < end; before = after) {
                (void)sys_yield("the other side may be about to come");
                after = clock_now();
                w->crowded = after - before > SWITCH;
                ready = is_ready(q);
        }
        return ready;
}

static int shared_wait(struct link *link, unsigned direction, int64_t until)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[direction - 1];
        struct question q = { l, w, direction };
        bool chosen = false;
        int r = 0;

        if (!l->spin || w->idle || !spin(l, w, &q, until))
                r = share_sleep(&l->share, w->busy ? w->unlocked : w->changed, is_ready, &q, until, &chosen);
        w->chosen |= chosen && !w->busy && direction == IPW_RECV && !w->to_all;
        if (unlikely(load_relaxed(&w->interrupted)) && atomic_exchange(&w->interrupted, false))
                r = -ECANCELED;
        w->idle = r == -ETIMEDOUT && clock_now() < until;
        if (r < 0 && r != -ETIMEDOUT && w->chosen)
                pass_on(l, w); /* the caller is told, and may never come back for the message */
        if (r != -ETIMEDOUT)
                return r;
        w->look = true;
        return 0;
}

static void shared_interrupt(struct link *link, unsigned direction)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[direction - 1];

        atomic_store(&w->interrupted, true);
        share_stir(&l->share, w->changed);
        share_stir(&l->share, w->unlocked);
}

/* ---- the rest ------------------------------------------------------------------------------------------------------------------------- */

/* Who is in the way of a message for all? */
static int why_full(const struct shared_link *l, const struct way *w, int error, struct ipw_why *why)
{
        uint64_t behind;
        int slot = ring_slowest(&w->ring, &behind);

        if (slot < 0)
                return -ENOENT;
        (void)why_set(
                why, error,
                "%s: no room, and not delivered: process %u receives slowest and has still to take %llu of %llu bytes; if it is stopped, "
                "kill -CONT it, and if that is no use, kill -KILL: nobody waits for it then",
                l->share.object.text, load_relaxed(&ring_slot(l->share.object.data, (uint32_t)slot)->pid), (unsigned long long)behind,
                (unsigned long long)w->ring.capacity);
        return 0;
}

static int shared_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        struct shared_link *l = shared_of(link);
        struct way *w = &l->way[direction - 1];
        uint64_t holder = holder_of(w, direction);
        uint32_t index = (uint32_t)holder - 1;

        if ((error == ETIMEDOUT || error == EAGAIN) && w->busy && index < l->share.shape.slots)
                (void)why_set(
                        why, error,
                        "%s: process %u is %s and does not get on; if it is stopped, kill -CONT it, and if that is no use, kill -KILL: what it "
                        "holds is then free",
                        l->share.object.text, load_relaxed(&ring_slot(l->share.object.data, index)->pid),
                        direction == IPW_SEND ? "sending" : "receiving");
        else if ((error == ETIMEDOUT || error == EAGAIN) && w->to_all && direction == IPW_SEND)
                return why_full(l, w, error, why);
        else if (error == ESTALE && share_still_there(&l->share) == 0)
                (void)why_set(why, error,
                              "%s: others took this process for dead, because it has closed a descriptor that was not its own "
                              "(closefrom(3)?); open it again",
                              l->share.object.text);
        else if (error == ESTALE)
                (void)why_set(why, error, "%s: was removed while it was open; open it again to join or make a new one",
                              l->share.object.text);
        else if (error == EBADMSG)
                (void)why_set(why, error, "%s: some process has written over the ring; close it, remove it and make it anew",
                              l->share.object.text);
        else if (error == EMSGSIZE && direction == IPW_SEND)
                (void)why_set(
                        why, error,
                        "%s: a message has at most %zu bytes, not quite half of the ring; remove it and make it anew with a larger size=, or send in parts",
                        l->share.object.text, l->link.caps.max_msg);
        else
                return -ENOENT;
        return 0;
}

static void close_ways(struct shared_link *l, int inherited)
{
        for (int i = 0; i < 2; i++) {
                struct way *w = &l->way[i];

                readiness_close(&w->readiness);
                share_bell_close(&w->bell, &l->share, inherited);
        }
}

static void shared_close(struct link *link, int inherited)
{
        struct shared_link *l = shared_of(link);

        if (!inherited && l->way[IPW_SEND - 1].lent)
                (void)shared_commit(link, NULL, 0);
        if (!inherited && l->way[IPW_RECV - 1].lent)
                (void)shared_give_back(link, NULL, 0);
        close_ways(l, inherited);
        if (!inherited && l->way[IPW_RECV - 1].chosen)
                pass_on(l, &l->way[IPW_RECV - 1]);
        if (!inherited)
                share_leave(&l->share, l->goes);
        else
                share_drop(&l->share);
        address_free(l->goes);
        free(l->hand.data);
        free(l);
}

#define OPS_SEND .send = shared_send, .send_one = shared_send_one, .claim = shared_claim, .commit = shared_commit
#define OPS_RECV .recv = shared_recv, .recv_one = shared_recv_one, .borrow = shared_borrow, .give_back = shared_give_back
#define OPS_BOTH .wait = shared_wait, .interrupt = shared_interrupt, .pollfd = shared_pollfd, .why = shared_why, .close = shared_close
static const struct link_ops send_ops = { OPS_SEND, OPS_BOTH };
static const struct link_ops recv_ops = { OPS_RECV, OPS_BOTH };
static const struct link_ops pair_ops = { OPS_SEND, OPS_RECV, OPS_BOTH };

static void set_way(struct shared_link *l, unsigned direction, uint32_t which, bool ends)
{
        struct way *w = &l->way[direction - 1];
        struct share *s = &l->share;

        ring_use(&w->ring, s->object.data, &s->shape, which, ring_owner(s->index, s->epoch));
        w->changed = direction == IPW_RECV ? &w->ring.words->filled : &w->ring.words->emptied;
        w->unlocked = direction == IPW_RECV ? &w->ring.words->reader_free : &w->ring.words->writer_free;
        w->lock = direction == IPW_RECV ? &w->ring.words->reader : &w->ring.words->writer;
        w->others = direction == IPW_RECV ? &w->ring.words->senders : &w->ring.words->receivers;
        w->others_ever = direction == IPW_RECV ? &w->ring.words->senders_ever : &w->ring.words->receivers_ever;
        w->ever = load_relaxed(w->others_ever);
        w->ends = ends;
        w->moved = direction == IPW_RECV ? &l->link.stats.received : &l->link.stats.sent;
        w->to_all = s->shape.flags & IMAGE_BROADCAST;
        w->handed = s->shape.flags & IMAGE_ENDS;
        w->other_end = s->index == 0 ? 1 : 0;
        w->met = load_acquire(w->others) != 0 || (direction == IPW_RECV && ring_has_message(&w->ring));
        w->look = true; /* who is marked as there may have died long ago */
}

int share_link_new(const struct share *s, const struct share_wish *wish, struct link **out)
{
        bool pair = s->shape.flags & IMAGE_PAIR, both = pair || s->shape.flags & IMAGE_ENDS;
        struct shared_link *l = sys_alloc("a link over a ring", sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->share = *s;
        for (int i = 0; i < 2; i++) {
                l->way[i].bell = (struct share_bell)SHARE_BELL_NONE;
                l->way[i].readiness = (struct readiness)READINESS_NONE;
        }
        if (s->ways & IPW_SEND)
                set_way(l, IPW_SEND, pair ? s->index : 0, both);
        if (s->ways & IPW_RECV)
                set_way(l, IPW_RECV, pair ? 1 - s->index : 0, both || wish->until_last);
        l->spin = wish->spin;
        l->goes = wish->goes;
        l->link.ops = pair ? &pair_ops : s->ways & IPW_SEND ? &send_ops : &recv_ops;
        l->link.spins = true;
        share_caps(&l->link.caps, s->shape.capacity, s->shape.flags, both || (s->ways & IPW_RECV && wish->until_last), wish->stack);
        *out = &l->link;
        return 0;
}

void share_caps(struct ipw_caps *caps, uint64_t capacity, uint32_t flags, bool ends, const char *stack)
{
        *caps = (struct ipw_caps){
                .max_msg = ring_max_message(capacity),
                .atomic_max = ring_max_message(capacity),
                .capacity = capacity,
                .max_batch = BATCH,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_POLL | IPW_CAP_LEND | (ends ? IPW_CAP_ENDS : 0) |
                         (flags & (IMAGE_ENDS | IMAGE_BROADCAST) ? 0 : IPW_CAP_SURVIVES) |
                         (flags & IMAGE_ONE_PRODUCER ? 0 : IPW_CAP_MANY_SENDERS) |
                         (flags & (IMAGE_ONE_CONSUMER | IMAGE_BROADCAST) ? 0 : IPW_CAP_MANY_RECEIVERS),
        };
        (void)strncpy(caps->stack, stack, sizeof(caps->stack) - 1);
}
