/* SPDX-License-Identifier: MIT */
/*
 * Many peers on one link, on the caller's thread. There is no other thread, so everything that must happen (taking peers in, dropping those that have
 * ended) happens inside receive, send and turn, and the one epoll set that stands for the link covers it all: the listener and every peer.
 *
 * Receiving. Peers known to have something stand in a queue. Each receive takes from the first and puts it at the end, so that a peer that never
 * pauses delays the others by one message each and no more; a peer that has nothing left leaves the queue. The set is asked when the queue is empty, and
 * every LOOK_EVERY receives, so that a busy peer cannot keep newcomers out. A lone peer is tried before the set is asked: that is one system call less.
 *
 * Sending. Peers stand in a ring; a message goes to the first that has room. A message for one `peer` waits for that one only. A peer that took only the
 * beginning of a message must not stop the others, and nobody else may be given that message: so it is that peer's from then on, its link
 * keeps the rest and sends it before anything else, and it counts as unsettled until then. A peer that had no room is passed over for
 * some rounds, so that one who never reads costs the others next to nothing.
 *
 * A peer that breaks (wrong bytes, an error of its own) is dropped and counted, and does the others no harm; what was wrong is said with the next error.
 * Where a framing begins with a greeting, who has not greeted is a stranger: he has STRANGER_TIME for it, and of more than STRANGERS_MAX the
 * one who came first goes. No descriptors left, or PEERS_MAX peers: the listener leaves the set, so that those who wait do not keep it ready for nothing,
 * and comes back when a peer has gone or RETRY has passed.
 *
 * What is missing here is no peer's fault, and what he has sent is acknowledged: who has come and cannot be taken in for want of memory waits, before
 * everybody else, and is tried again when RETRY has passed; who is in stays.
 *
 * A link either serves its peers itself or hands them out by accept, never both: a wait for newcomers would otherwise wake for every message.
 */
#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "sys.h"
#include "why.h"

enum {
        PEERS_MAX = 4096,
        LOOK_EVERY = 64,
        LOOKS = 4, /* in one call: peers that are said to have something and have not cannot keep us in it */
        EVENTS = 64,
        RETRY = 50000000, /* ns until a listener that could not accept is asked again */
        STRANGERS_MAX = 256,
        PASSES_MAX = 63, /* rounds that a peer without room is passed over */
};
static const int64_t STRANGER_TIME = 10 * (int64_t)1000000000;

struct peer {
        struct link *link;
        uint64_t id;
        int fd;                       /* what of it stands in the set */
        struct peer *next, *previous; /* the ring of all */
        struct peer *next_ready;
        bool ready;
        bool stranger;
        int64_t until;             /* a stranger's time */
        unsigned passes, pass_for; /* sending: rounds still to be passed over; of how many, the last time */
        struct ipw_stats seen;     /* what of its counters is in the hub's */
};

struct hub {
        struct link link;
        struct listener *listener;
        unsigned direction;
        int epoll, timer;
        int bell; /* rung while a peer stands in the queue, which the kernel cannot know; -1: nobody asked for a descriptor */
        bool rung;
        struct link *waiting; /* has come, and could not be taken in; NULL: nobody */
        struct peer *peers;   /* whose turn it is to be sent to; any, for receiving */
        unsigned count;
        struct peer *ready, *ready_last;
        struct peer *blocked; /* sending: the one peer that the last message waits for */
        uint64_t last_id;
        unsigned since_look;
        bool until_last, had_peers, paused, retries, handing, ended;
        unsigned strangers;
        int64_t retry_at, alarm; /* when to listen again, if paused; when the timer will fire, or NEVER */
        int failed;              /* sending: a peer has taken what it still owed with it */
        uint64_t faults;         /* peers dropped for what they did */
        bool fault_told;
        struct ipw_why fault; /* what the last of them did */
};

static struct hub *of(struct link *link)
{
        return container_of(link, struct hub, link);
}

static void count(uint64_t *counter, uint64_t value)
{
        __atomic_store_n(counter, value, __ATOMIC_RELAXED); /* read by ipw_link_stats() of any thread */
}

/* ---- the queue of those that may have something ---------------------------------------------------------------------------------------- */

static void queue(struct hub *h, struct peer *p)
{
        if (p->ready)
                return;
        p->ready = true;
        p->next_ready = NULL;
        if (h->ready)
                h->ready_last->next_ready = p;
        else
                h->ready = p;
        h->ready_last = p;
}

/* Takes the first off. */
static struct peer *unqueue(struct hub *h)
{
        struct peer *p = h->ready;

        h->ready = p->next_ready;
        p->ready = false;
        return p;
}

static void ring(struct hub *h, bool on)
{
        uint64_t times = 1;
        ssize_t r;

        if (h->bell < 0 || h->rung == on)
                return;
        r = on ? sys_write("a peer may have more", h->bell, &times, sizeof(times))
               : sys_read("no peer has more", h->bell, &times, sizeof(times));
        if (r > 0)
                h->rung = on;
}

static int hang_bell(struct hub *h)
{
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &h->bell };
        int fd = sys_eventfd("to say that a peer may have more", 0);
        int r = fd < 0 ? fd : sys_epoll_ctl("and be heard", h->epoll, EPOLL_CTL_ADD, fd, &event);

        if (r < 0) {
                sys_closep(&fd);
                return r;
        }
        h->bell = fd;
        return 0;
}

/* ---- peers come and go ------------------------------------------------------------------------------------------------------------------- */

static int listen_again(struct hub *h)
{
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = h->listener };
        int r;

        if (!h->paused)
                return 0;
        r = sys_epoll_ctl("listen again", h->epoll, EPOLL_CTL_ADD, h->listener->fd, &event);
        h->paused = r < 0;
        return r;
}

/* Has the timer fire at `when`, or earlier if something else is due. */
static void set_alarm(struct hub *h, int64_t when)
{
        struct itimerspec in = { 0 };

        if (h->alarm <= when)
                return;
        in.it_value = clock_left(when);
        if (!in.it_value.tv_sec && !in.it_value.tv_nsec)
                in.it_value.tv_nsec = 1; /* 0 would stop it */
        if (sys_timerfd_settime("look again in a while", h->timer, &in) == 0)
                h->alarm = when;
}

static void pause_listening(struct hub *h)
{
        if (!h->paused) {
                (void)sys_epoll_ctl("no room for another peer now", h->epoll, EPOLL_CTL_DEL, h->listener->fd, NULL);
                h->paused = true;
        }
        h->retries = true;
        h->retry_at = clock_now() + RETRY;
        set_alarm(h, h->retry_at);
}

/* Adds what is new in a peer's counters to ours. */
static void account(struct hub *h, struct peer *p)
{
        struct ipw_stats *ours = &h->link.stats;
        const struct ipw_stats *now = &p->link->stats;

        if (likely(now->dropped == p->seen.dropped && now->discarded == p->seen.discarded && now->unsettled == p->seen.unsettled &&
                   now->fds_closed == p->seen.fds_closed))
                return;
        count(&ours->dropped, ours->dropped + now->dropped - p->seen.dropped);
        count(&ours->discarded, ours->discarded + now->discarded - p->seen.discarded);
        count(&ours->unsettled, ours->unsettled + now->unsettled - p->seen.unsettled);
        count(&ours->fds_closed, ours->fds_closed + now->fds_closed - p->seen.fds_closed);
        p->seen = *now;
}

/* What a peer did before it is dropped, in words for the next error. */
static void note_fault(struct hub *h, struct peer *p, int error)
{
        struct ipw_why why = { 0 };

        h->faults++;
        h->fault_told = false;
        if (p->stranger && error == -ETIMEDOUT)
                (void)snprintf(why.text, sizeof(why.text), "did not begin with the greeting of its framing for %d s",
                               (int)(STRANGER_TIME / 1000000000));
        else if (error == -EPIPE)
                (void)snprintf(why.text, sizeof(why.text), "ended in the middle of a message");
        else if (!p->link->ops->why || p->link->ops->why(p->link, h->direction, -error, &why) < 0)
                (void)snprintf(why.text, sizeof(why.text), "%s", why_name(error));
        (void)snprintf(h->fault.text, sizeof(h->fault.text), "number %llu: %.400s", (unsigned long long)p->id, why.text);
}

static void leave_queue(struct hub *h, struct peer *p)
{
        struct peer **at = &h->ready, *before = NULL;

        if (!p->ready)
                return;
        while (*at != p) {
                before = *at;
                at = &before->next_ready;
        }
        *at = p->next_ready;
        if (h->ready_last == p)
                h->ready_last = before;
        p->ready = false;
}

static void drop(struct hub *h, struct peer *p)
{
        leave_queue(h, p);
        account(h, p);
        h->strangers -= p->stranger;
        if (p->link->stats.unsettled)
                h->failed = -EPIPE; /* it took those with it */
        (void)sys_epoll_ctl("the peer is gone", h->epoll, EPOLL_CTL_DEL, p->fd, NULL);
        if (h->peers == p)
                h->peers = p->next == p ? NULL : p->next;
        p->next->previous = p->previous;
        p->previous->next = p->next;
        if (h->blocked == p)
                h->blocked = NULL;
        p->link->ops->close(p->link, 0);
        free(p);
        count(&h->link.stats.peers, --h->count);
        (void)listen_again(h); /* there is room again; if not yet, the timer tries */
}

static void drop_faulty(struct hub *h, struct peer *p, int error)
{
        if (error != -EPIPE) {
                note_fault(h, p, error);
                count(&h->link.stats.discarded, h->link.stats.discarded + 1);
        } else if (p->link->stats.discarded != p->seen.discarded) {
                note_fault(h, p, error);
        }
        drop(h, p);
}

/* Puts into the set what the peer waits for now. */
static int watch_peer(struct hub *h, struct peer *p, int operation)
{
        struct epoll_event event = { .data.ptr = p };
        struct pollfd pollfd;
        int r = p->link->ops->watch(p->link, h->direction, &pollfd);

        if (r < 0)
                return r;
        p->fd = pollfd.fd;
        event.events = (uint32_t)pollfd.events; /* POLLIN and POLLOUT are EPOLLIN and EPOLLOUT */
        return sys_epoll_ctl("a peer, and what it waits for", h->epoll, operation, p->fd, &event);
}

/* After any operation: is he a stranger no more? */
static void acquaint(struct hub *h, struct peer *p)
{
        if (likely(!p->stranger) || p->link->stranger)
                return;
        p->stranger = false;
        h->strangers--;
        (void)watch_peer(h, p, EPOLL_CTL_MOD); /* cannot fail: it is in the set, and changing that takes no memory */
}

/* The strangers whose time is up; if `crowded`, the first of them in any case. */
static void drop_strangers(struct hub *h, bool crowded)
{
        int64_t now = clock_now(), next = NEVER;
        struct peer *p = h->peers, *oldest = NULL;

        for (unsigned left = h->count; left; left--) {
                struct peer *after = p->next;

                if (p->stranger && p->until <= now) {
                        drop_faulty(h, p, -ETIMEDOUT);
                } else if (p->stranger) {
                        next = MIN(next, p->until);
                        if (!oldest || p->id < oldest->id)
                                oldest = p;
                }
                p = after;
        }
        if (crowded && oldest && h->strangers >= STRANGERS_MAX)
                drop_faulty(h, oldest, -ETIMEDOUT);
        if (next != NEVER)
                set_alarm(h, next);
}

/* What this process lacks, and no fault of the peer's: what it has sent waits until there is more. */
static bool is_want(ssize_t error)
{
        return error == -ENOMEM || error == -ENOBUFS || error == -EMFILE || error == -ENFILE || error == -ENOSPC;
}

static int keep_waiting(struct hub *h, struct peer *p, struct link *link, int error)
{
        free(p);
        h->waiting = link;
        return error;
}

/* Takes the link over. On failure it waits, or, with -ECONNABORTED, is gone. */
static int add(struct hub *h, struct link *link)
{
        struct peer *p;
        int r = 0;

        if (link->stranger && h->strangers >= STRANGERS_MAX)
                drop_strangers(h, true);
        p = sys_alloc("a peer", sizeof(*p));
        if (!p)
                return keep_waiting(h, p, link, -ENOMEM);
        p->link = link;
        p->id = h->last_id + 1;
        p->stranger = link->stranger;
        if (p->stranger && link->ops->turn)
                r = link->ops->turn(link); /* our greeting; his has mostly come already */
        if (is_want(r))
                return keep_waiting(h, p, link, r);
        if (r < 0 && r != -EAGAIN) {
                if (r != -EPIPE) {
                        note_fault(h, p, r);
                        count(&h->link.stats.discarded, h->link.stats.discarded + 1);
                }
                link->ops->close(link, 0);
                free(p);
                return -ECONNABORTED;
        }
        p->stranger = link->stranger;
        r = watch_peer(h, p, EPOLL_CTL_ADD);
        if (r < 0)
                return keep_waiting(h, p, link, r);
        h->last_id = p->id;
        if (p->stranger) {
                h->strangers++;
                p->until = clock_now() + STRANGER_TIME;
                set_alarm(h, p->until);
        }
        if (h->peers) {
                p->next = h->peers;
                p->previous = h->peers->previous;
                p->next->previous = p->previous->next = p;
        } else {
                h->peers = p->next = p->previous = p;
        }
        h->had_peers = true;
        count(&h->link.stats.peers, ++h->count);
        if (h->direction == IPW_RECV)
                queue(h, p); /* who dials usually has something to say */
        return 0;
}

/* Takes in who waits. Returns how many came, or -EAGAIN: nobody waits; other errors: somebody waits, and not now. */
static int take_in(struct hub *h)
{
        struct link *link;
        int taken = 0, r = 0;

        for (unsigned i = 0; i < LISTENER_TURN && r >= 0; i++) {
                link = steal(&h->waiting);
                r = link ? 0 : h->count < PEERS_MAX ? h->listener->ops->accept(h->listener, &link) : -EMFILE;
                if (r == -ECONNABORTED) {
                        r = 0;
                        continue;
                }
                if (r == 0)
                        r = add(h, link);
                taken += r == 0;
                if (r == -ECONNABORTED)
                        r = 0;
        }
        if (r < 0 && r != -EAGAIN)
                pause_listening(h);
        return taken ? taken : r;
}

/* Once the timer has been read. */
static void timer_fired(struct hub *h)
{
        bool again = h->retries && h->retry_at <= clock_now();

        h->alarm = NEVER;
        h->retries &= !again;
        if (again && listen_again(h) < 0)
                pause_listening(h);
        else if (again)
                (void)take_in(h); /* who waits with us does not show in the set */
        if (h->retries)
                set_alarm(h, h->retry_at);
        if (h->strangers)
                drop_strangers(h, false);
}

/* Asks the set, sleeping if `ms` is -1. Returns how many events there were; our own bell is none. */
static int look(struct hub *h, int ms)
{
        struct epoll_event events[EVENTS];
        bool fired = false, waiting = false;
        uint64_t times;
        int n, own = 0;

        h->since_look = 0;
        if (!h->ready)
                ring(h, false); /* else the set would go on saying what is no longer so */
        n = sys_epoll_wait("who has something", h->epoll, events, EVENTS, ms);
        for (int i = 0; i < n; i++) {
                if (events[i].data.ptr == h->listener)
                        waiting = true;
                else if (events[i].data.ptr == &h->timer)
                        fired = sys_read("the while has passed", h->timer, &times, sizeof(times)) > 0;
                else if (events[i].data.ptr == &h->bell)
                        own++;
                else
                        queue(h, events[i].data.ptr);
        }
        /* Only now, for both may drop peers that the events speak of. */
        if (fired)
                timer_fired(h);
        if (waiting)
                (void)take_in(h);
        return n - own;
}

/* ---- receiving --------------------------------------------------------------------------------------------------------------------------- */

/* Have all gone that ever will have come? Only if nobody is waiting to be taken in either. */
static bool at_end(struct hub *h)
{
        if (!h->until_last || !h->had_peers || h->count || take_in(h) != -EAGAIN || h->count)
                return false;
        h->listener->ops->shut(h->listener);
        (void)listen_again(h); /* what is shut polls ready for ever, so a loop sees the end too */
        return h->ended = true;
}

/* So that it is the next that is tried. */
static void put_first(struct hub *h, struct peer *p)
{
        p->ready = true;
        p->next_ready = h->ready;
        if (!h->ready)
                h->ready_last = p;
        h->ready = p;
}

/* One try at the first of the queue. -EAGAIN: it has nothing, or is gone. */
static ssize_t recv_first(struct hub *h, struct ipw_message *m, size_t n)
{
        struct peer *p = unqueue(h);
        ssize_t r = p->link->ops->recv(p->link, m, n, 0);

        acquaint(h, p);
        if (likely(r > 0 || r == -EAGAIN))
                account(h, p);
        if (likely(r > 0)) {
                for (ssize_t i = 0; i < r; i++) {
                        m[i].peer = p->id;
                        m[i].flags |= IPW_HAS_PEER;
                }
                queue(h, p);
                return r;
        }
        if (r == -EMSGSIZE || is_want(r)) {
                put_first(h, p); /* it comes with the next call */
                return r;
        }
        if (r == -EAGAIN)
                return r;
        if (r == -EINTR) {
                queue(h, p);
                return r;
        }
        drop_faulty(h, p, (int)r);
        return -EAGAIN;
}

static ssize_t recv_any(struct hub *h, struct ipw_message *m, size_t n, unsigned flags)
{
        unsigned looks = 0;
        ssize_t r;

        if (!h->ready && h->count == 1)
                queue(h, h->peers);
        for (;;) {
                if (h->ready && h->since_look < LOOK_EVERY) {
                        r = recv_first(h, m, n);
                        if (r != -EAGAIN) {
                                h->since_look++;
                                return r;
                        }
                } else if (at_end(h)) {
                        return -EPIPE;
                } else if (looks++ == LOOKS) {
                        return -EAGAIN;
                } else {
                        r = look(h, flags & LINK_SLEEP && !h->ready ? -1 : 0);
                        if (r < 0)
                                return r;
                        if (r == 0 && !h->ready)
                                return -EAGAIN;
                }
        }
}

static ssize_t hub_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct hub *h = of(link);
        ssize_t r;

        if (unlikely(h->handing))
                return -EOPNOTSUPP;
        if (unlikely(h->fault_told))
                h->faults = 0;
        r = h->ended ? -EPIPE : recv_any(h, m, n, flags);
        ring(h, h->ready != NULL);
        return r;
}

/* ---- sending ----------------------------------------------------------------------------------------------------------------------------- */

static struct peer *find(struct hub *h, uint64_t id)
{
        struct peer *p = h->peers;

        for (unsigned i = 0; i < h->count; i++, p = p->next)
                if (p->id == id)
                        return p;
        return NULL;
}

static ssize_t send_to(struct hub *h, struct peer *p, const struct ipw_message *m)
{
        struct ipw_message rest;
        ssize_t r = p->link->ops->send(p->link, m, 1, 0);

        acquaint(h, p);
        if (r == -EAGAIN && !p->stranger && p->link->ops->give_up) {
                rest = *m;
                rest.flags |= IPW_DEFER;
                if (p->link->ops->give_up(p->link, &rest) == -EINPROGRESS)
                        r = 1;
        }
        p->pass_for = r == -EAGAIN ? MIN(2 * p->pass_for + 1, (unsigned)PASSES_MAX) : 0;
        p->passes = p->pass_for;
        account(h, p);
        if (r == -EPIPE || r == -ECONNRESET) {
                drop(h, p);
                return -EPIPE;
        }
        if (r == -EBADMSG || r == -EPROTO) {
                drop_faulty(h, p, (int)r);
                return -EPIPE;
        }
        return r;
}

/* Offers the message round the ring. `all`: to those who had no room lately too. */
static ssize_t offer(struct hub *h, const struct ipw_message *m, bool all)
{
        ssize_t r;

        for (unsigned left = h->count; left; left--) {
                struct peer *p = h->peers;

                h->peers = p->next;
                if (p->passes && !all) {
                        p->passes--;
                        continue;
                }
                r = send_to(h, p, m);
                if (r != -EAGAIN && r != -EPIPE)
                        return r;
        }
        return -EAGAIN;
}

static ssize_t send_one(struct hub *h, const struct ipw_message *m)
{
        struct peer *p;
        ssize_t r;

        h->blocked = NULL;
        if (m->peer) {
                p = find(h, m->peer);
                r = p ? send_to(h, p, m) : -EPIPE;
                if (r == -EAGAIN)
                        h->blocked = p;
                return r;
        }
        r = offer(h, m, false);
        return r == -EAGAIN ? offer(h, m, true) : r;
}

/* Newcomers, and what the timer says. Cheap: the set is not asked, who has room is found by trying. */
static void look_for_peers(struct hub *h)
{
        uint64_t times;

        h->since_look = 0;
        if (h->alarm != NEVER && sys_read("has the while passed", h->timer, &times, sizeof(times)) > 0)
                timer_fired(h);
        if (!h->paused)
                (void)take_in(h);
}

static ssize_t hub_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct hub *h = of(link);
        size_t done = 0;
        ssize_t r = 0;

        if (unlikely(h->handing))
                return -EOPNOTSUPP;
        if (!h->count || ++h->since_look >= LOOK_EVERY)
                look_for_peers(h);
        for (; done < n; done++) {
                r = send_one(h, &m[done]);
                if (r == -EAGAIN && done == 0 && !m->peer) {
                        look_for_peers(h);
                        r = send_one(h, m);
                }
                if (r < 0)
                        break;
        }
        return done ? (ssize_t)done : r;
}

/* ---- the rest ------------------------------------------------------------------------------------------------------------------------------ */

/* Of a sender: who is gone, and strangers that greet. */
static void turn_peer(struct hub *h, const struct epoll_event *event)
{
        struct peer *p = event->data.ptr;
        int r = 0;

        if (event->data.ptr == h->listener || event->data.ptr == &h->timer || event->data.ptr == &h->bell)
                return;
        if (p->stranger && p->link->ops->turn)
                r = p->link->ops->turn(p->link);
        acquaint(h, p);
        if (r < 0 && r != -EAGAIN)
                drop_faulty(h, p, r);
        else if (event->events & (EPOLLHUP | EPOLLERR))
                drop(h, p);
}

static int hub_turn(struct link *link)
{
        struct hub *h = of(link);
        struct epoll_event events[EVENTS];
        int n;

        if (h->handing || h->ended)
                return 0;
        if (h->direction == IPW_RECV) {
                n = look(h, 0);
                ring(h, h->ready != NULL);
                return MIN(n, 0);
        }
        look_for_peers(h);
        n = sys_epoll_wait("who is gone", h->epoll, events, EVENTS, 0);
        for (int i = 0; i < n; i++)
                turn_peer(h, &events[i]);
        return MIN(n, 0);
}

/* What peers took the beginning of goes on its way. */
static int hub_flush(struct link *link)
{
        struct hub *h = of(link);
        struct peer *p = h->peers;

        h->blocked = NULL;
        for (unsigned left = h->link.stats.unsettled ? h->count : 0; left; left--) {
                struct peer *next = p->next;
                int r = p->link->stats.unsettled ? p->link->ops->flush(p->link) : 0;

                account(h, p);
                if (r == -EAGAIN)
                        h->blocked = p;
                else if (r < 0)
                        drop(h, p);
                p = next;
        }
        return h->blocked ? -EAGAIN : h->failed;
}

static int hub_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        struct hub *h = of(link);

        if (h->blocked)
                return h->blocked->link->ops->watch(h->blocked->link, direction, out);
        *out = (struct pollfd){ .fd = h->handing ? h->listener->fd : h->epoll, .events = POLLIN };
        return 0;
}

static int hub_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct hub *h = of(link);
        int r = 0;

        if (h->direction == IPW_RECV && h->bell < 0) {
                r = hang_bell(h);
                ring(h, h->ready != NULL);
        }
        if (r == 0)
                *out = (struct pollfd){ .fd = h->epoll, .events = POLLIN };
        return r;
}

static int hub_accept(struct link *link, struct link **out)
{
        struct hub *h = of(link);
        int r = -EAGAIN;

        if (h->had_peers)
                return -EBUSY;
        h->handing = true;
        *out = steal(&h->waiting);
        for (unsigned i = 0; !*out && i < LISTENER_TURN; i++) {
                r = h->listener->ops->accept(h->listener, out);
                if (r != -ECONNABORTED)
                        return r;
        }
        return *out ? 0 : -EAGAIN;
}

static int hub_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        struct hub *h = of(link);

        if (error == EOPNOTSUPP && h->handing) {
                (void)why_set(why, error, "%s: this link hands out conversations (ipw_accept) and has no messages of its own",
                              h->listener->name);
                return 0;
        }
        if (h->faults && (error == EAGAIN || error == ETIMEDOUT)) {
                (void)why_set(why, error, "%s: nothing %s; %llu peers were dropped, the last of them %s", h->listener->name,
                              direction == IPW_RECV ? "to receive" : "could be sent", (unsigned long long)h->faults, h->fault.text);
                h->fault_told = true;
                return 0;
        }
        return listener_why(h->listener, h->count, error, why);
}

static void hub_close(struct link *link, int inherited)
{
        struct hub *h = of(link);
        struct peer *p = h->peers;

        for (unsigned i = 0; i < h->count; i++) {
                struct peer *next = p->next;

                p->link->ops->close(p->link, inherited);
                free(p);
                p = next;
        }
        if (h->waiting)
                h->waiting->ops->close(h->waiting, inherited);
        h->listener->ops->close(h->listener, inherited);
        sys_closep(&h->bell);
        sys_closep(&h->timer);
        sys_closep(&h->epoll);
        free(h);
}

static const struct link_ops receiving = {
        .recv = hub_recv,
        .turn = hub_turn,
        .watch = hub_watch,
        .pollfd = hub_pollfd,
        .accept = hub_accept,
        .why = hub_why,
        .close = hub_close,
};

static const struct link_ops sending = {
        .send = hub_send,
        .flush = hub_flush,
        .turn = hub_turn,
        .watch = hub_watch,
        .pollfd = hub_pollfd,
        .accept = hub_accept,
        .why = hub_why,
        .close = hub_close,
};

static int open_set(struct hub *h)
{
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &h->timer };
        int r;

        h->epoll = sys_epoll_create("one descriptor for all peers");
        if (h->epoll < 0)
                return h->epoll;
        h->timer = sys_timerfd_create("for the while in which there is no room for peers");
        if (h->timer < 0)
                return h->timer;
        r = sys_epoll_ctl("the end of that while", h->epoll, EPOLL_CTL_ADD, h->timer, &event);
        if (r < 0)
                return r;
        h->paused = true;
        return listen_again(h);
}

int hub_new(struct listener *listener, unsigned direction, bool until_last, struct link **out, struct ipw_why *why)
{
        struct hub *h = sys_alloc("a link over many peers", sizeof(*h));
        int r;

        if (!h) {
                listener->ops->close(listener, 0);
                return why_set(why, ENOMEM, "out of memory while opening a listening link");
        }
        h->link.ops = direction == IPW_RECV ? &receiving : &sending;
        h->link.caps = listener->caps;
        h->link.caps.flags |= IPW_CAP_ACCEPT | (direction == IPW_RECV ? IPW_CAP_MANY_SENDERS : IPW_CAP_MANY_RECEIVERS);
        if (direction == IPW_RECV && !until_last)
                h->link.caps.flags &= ~(uint32_t)IPW_CAP_ENDS;
        (void)snprintf(h->link.caps.stack, sizeof(h->link.caps.stack), "hub/%.50s", listener->caps.stack);
        h->listener = listener;
        h->direction = direction;
        h->until_last = until_last;
        h->epoll = h->timer = h->bell = -1;
        h->alarm = NEVER;
        r = open_set(h);
        if (r < 0) {
                (void)why_call(why, r, listener->name, "cannot watch many peers");
                hub_close(&h->link, 0);
                return r;
        }
        *out = &h->link;
        return 0;
}
