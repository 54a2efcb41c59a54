/* SPDX-License-Identifier: MIT */
/*
 * Who comes is taken in until PEERS_MAX are there; who has ended is dropped when something is done with him, or when the set says so.
 *
 * A peer that breaks (wrong bytes, an error of its own) is dropped and counted, and does the others no harm; what was wrong is said with the next error.
 * Where a framing begins with a greeting, who has not greeted is a stranger: he has STRANGER_TIME for it, and of more than STRANGERS_MAX the
 * one who came first goes. No descriptors left, or PEERS_MAX peers: the listener leaves the set, so that those who wait do not keep it ready for nothing,
 * and comes back when a peer has gone or RETRY has passed.
 *
 * What is missing here is no peer's fault, and what he has sent is acknowledged: who has come and cannot be taken in for want of memory waits, before
 * everybody else, and is tried again when RETRY has passed; who is in stays.
 */
#include "hub_peers.h"

#include <errno.h>
#include <stdio.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "sys.h"
#include "why.h"

enum {
        PEERS_MAX = 4096,
        EVENTS = 64,
        RETRY = 50000000, /* ns until a listener that could not accept is asked again */
        STRANGERS_MAX = 256,
};
static const int64_t STRANGER_TIME = 10 * (int64_t)1000000000;

static void count(uint64_t *counter, uint64_t value)
{
        __atomic_store_n(counter, value, __ATOMIC_RELAXED); /* read by ipw_link_stats() of any thread */
}

/* ---- the queue of those that may have something ---------------------------------------------------------------------------------------- */

void peers_queue(struct hub *h, struct peer *p)
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

struct peer *peers_unqueue(struct hub *h)
{
        struct peer *p = h->ready;

        h->ready = p->next_ready;
        p->ready = false;
        return p;
}

void peers_put_first(struct hub *h, struct peer *p)
{
        p->ready = true;
        p->next_ready = h->ready;
        if (!h->ready)
                h->ready_last = p;
        h->ready = p;
}

void peers_ring(struct hub *h, bool on)
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

int peers_hang_bell(struct hub *h)
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

int peers_listen_again(struct hub *h)
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
void peers_account(struct hub *h, struct peer *p)
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

void peers_drop(struct hub *h, struct peer *p)
{
        leave_queue(h, p);
        peers_account(h, p);
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
        (void)peers_listen_again(h); /* there is room again; if not yet, the timer tries */
}

void peers_drop_faulty(struct hub *h, struct peer *p, int error)
{
        if (error != -EPIPE) {
                note_fault(h, p, error);
                count(&h->link.stats.discarded, h->link.stats.discarded + 1);
        } else if (p->link->stats.discarded != p->seen.discarded) {
                note_fault(h, p, error);
        }
        peers_drop(h, p);
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

void peers_acquaint(struct hub *h, struct peer *p)
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
                        peers_drop_faulty(h, p, -ETIMEDOUT);
                } else if (p->stranger) {
                        next = MIN(next, p->until);
                        if (!oldest || p->id < oldest->id)
                                oldest = p;
                }
                p = after;
        }
        if (crowded && oldest && h->strangers >= STRANGERS_MAX)
                peers_drop_faulty(h, oldest, -ETIMEDOUT);
        if (next != NEVER)
                set_alarm(h, next);
}

bool peers_is_want(ssize_t error)
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
        if (peers_is_want(r))
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
                peers_queue(h, p); /* who dials usually has something to say */
        return 0;
}

int peers_take_in(struct hub *h)
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

void peers_timer_fired(struct hub *h)
{
        bool again = h->retries && h->retry_at <= clock_now();

        h->alarm = NEVER;
        h->retries &= !again;
        if (again && peers_listen_again(h) < 0)
                pause_listening(h);
        else if (again)
                (void)peers_take_in(h); /* who waits with us does not show in the set */
        if (h->retries)
                set_alarm(h, h->retry_at);
        if (h->strangers)
                drop_strangers(h, false);
}

int peers_look(struct hub *h, int ms)
{
        struct epoll_event events[EVENTS];
        bool fired = false, waiting = false;
        uint64_t times;
        int n, own = 0;

        h->since_look = 0;
        if (!h->ready)
                peers_ring(h, false); /* else the set would go on saying what is no longer so */
        n = sys_epoll_wait("who has something", h->epoll, events, EVENTS, ms);
        for (int i = 0; i < n; i++) {
                if (events[i].data.ptr == h->listener)
                        waiting = true;
                else if (events[i].data.ptr == &h->timer)
                        fired = sys_read("the while has passed", h->timer, &times, sizeof(times)) > 0;
                else if (events[i].data.ptr == &h->bell)
                        own++;
                else
                        peers_queue(h, events[i].data.ptr);
        }
        /* Only now, for both may drop peers that the events speak of. */
        if (fired)
                peers_timer_fired(h);
        if (waiting)
                (void)peers_take_in(h);
        return n - own;
}
