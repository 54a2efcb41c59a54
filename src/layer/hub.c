/* SPDX-License-Identifier: MIT */
/*
 * Many peers on one link, on the caller's thread. There is no other thread, so everything that must happen (taking peers in, dropping those that have
 * ended) happens inside receive, send and turn, and the one epoll set that stands for the link covers it all: the listener and every peer.
 *
 * Receiving. Peers known to have something stand in a queue. Each receive takes from the first and puts it at the end, so that a peer that never
 * pauses delays the others by one message each and no more; a peer that has nothing left leaves the queue. The set is asked when the queue is empty, and
 * every LOOK_EVERY receives, so that a busy peer cannot keep newcomers out. A lone peer is tried before the set is asked: that is one system call less.
 *
 * Sending. Peers stand in a ring; a message goes to the first that has room. A message for one `peer` waits for that one only.
 *
 * A peer that breaks (wrong bytes, an error of its own) is dropped and counted, and does the others no harm. No descriptors left, or PEERS_MAX peers: the
 * listener leaves the set, so that those who wait do not keep it ready for nothing, and comes back when a peer has gone or RETRY has passed.
 *
 * A link either serves its peers itself or hands them out by accept, never both: a wait for newcomers would otherwise wake for every message.
 */
#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "sys.h"
#include "why.h"

enum {
        PEERS_MAX = 4096,
        LOOK_EVERY = 64,
        EVENTS = 64,
        RETRY = 50000000, /* ns until a listener that could not accept is asked again */
};

struct peer {
        struct link *link;
        uint64_t id;
        int fd;                       /* what of it stands in the set */
        struct peer *next, *previous; /* the ring of all */
        struct peer *next_ready;
        bool ready;
};

struct hub {
        struct link link;
        struct listener *listener;
        unsigned direction;
        int epoll, timer;
        int bell; /* rung while a peer stands in the queue, which the kernel cannot know; -1: nobody asked for a descriptor */
        bool rung;
        struct peer *peers; /* whose turn it is to be sent to; any, for receiving */
        unsigned count;
        struct peer *ready, *ready_last;
        struct peer *blocked; /* sending: the one peer that the last message waits for */
        uint64_t last_id;
        unsigned since_look;
        bool until_last, had_peers, paused, handing, ended;
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

static void pause_listening(struct hub *h)
{
        static const struct itimerspec soon = { .it_value = { .tv_nsec = RETRY } };

        if (!h->paused) {
                (void)sys_epoll_ctl("no room for another peer now", h->epoll, EPOLL_CTL_DEL, h->listener->fd, NULL);
                h->paused = true;
        }
        (void)sys_timerfd_settime("listen again in a while", h->timer, &soon);
}

/* The peer must not stand in the queue. */
static void drop(struct hub *h, struct peer *p)
{
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

/* Takes the link over, also on failure. */
static int add(struct hub *h, struct link *link)
{
        struct peer *p = sys_alloc("a peer", sizeof(*p));
        struct epoll_event event = { .data.ptr = p };
        struct pollfd pollfd;
        int r;

        r = p ? link->ops->watch(link, h->direction, &pollfd) : -ENOMEM;
        event.events = r < 0 ? 0 : (uint32_t)pollfd.events; /* POLLIN and POLLOUT are EPOLLIN and EPOLLOUT */
        if (r == 0)
                r = sys_epoll_ctl("a new peer", h->epoll, EPOLL_CTL_ADD, pollfd.fd, &event);
        if (r < 0) {
                link->ops->close(link, 0);
                free(p);
                return r;
        }
        p->link = link;
        p->id = ++h->last_id;
        p->fd = pollfd.fd;
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
                r = h->count < PEERS_MAX ? h->listener->ops->accept(h->listener, &link) : -EMFILE;
                if (r == -ECONNABORTED) {
                        r = 0;
                        continue;
                }
                if (r == 0)
                        r = add(h, link);
                taken += r == 0;
        }
        if (r < 0 && r != -EAGAIN)
                pause_listening(h);
        return taken ? taken : r;
}

static int timer_fired(struct hub *h)
{
        uint64_t times;

        (void)sys_read("the while has passed", h->timer, &times, sizeof(times));
        return listen_again(h);
}

/* Asks the set, sleeping if `ms` is -1. Returns how many events there were; our own bell is none. */
static int look(struct hub *h, int ms)
{
        struct epoll_event events[EVENTS];
        int n, own = 0;

        h->since_look = 0;
        if (!h->ready)
                ring(h, false); /* else the set would go on saying what is no longer so */
        n = sys_epoll_wait("who has something", h->epoll, events, EVENTS, ms);
        for (int i = 0; i < n; i++) {
                if (events[i].data.ptr == h->listener)
                        (void)take_in(h);
                else if (events[i].data.ptr == &h->timer)
                        (void)timer_fired(h);
                else if (events[i].data.ptr == &h->bell)
                        own++;
                else
                        queue(h, events[i].data.ptr);
        }
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

/* One try at the first of the queue. -EAGAIN: it has nothing, or is gone. */
static ssize_t recv_first(struct hub *h, struct ipw_message *m, size_t n)
{
        struct peer *p = unqueue(h);
        ssize_t r = p->link->ops->recv(p->link, m, n, 0);

        if (likely(r > 0)) {
                for (ssize_t i = 0; i < r; i++) {
                        m[i].peer = p->id;
                        m[i].flags |= IPW_HAS_PEER;
                }
                queue(h, p);
                return r;
        }
        if (r == -EMSGSIZE) {
                /* It is in hand and comes with the next call, so this peer stays first. */
                p->ready = true;
                p->next_ready = h->ready;
                if (!h->ready)
                        h->ready_last = p;
                h->ready = p;
                return r;
        }
        if (r == -EAGAIN)
                return r;
        if (r == -EINTR) {
                queue(h, p);
                return r;
        }
        if (r != -EPIPE)
                count(&h->link.stats.discarded, h->link.stats.discarded + 1);
        drop(h, p);
        return -EAGAIN;
}

static ssize_t recv_any(struct hub *h, struct ipw_message *m, size_t n, unsigned flags)
{
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
        ssize_t r = p->link->ops->send(p->link, m, 1, 0);

        if (r == -EPIPE || r == -ECONNRESET)
                drop(h, p);
        return r;
}

static ssize_t send_one(struct hub *h, const struct ipw_message *m)
{
        struct peer *p;
        ssize_t r = -EAGAIN;

        h->blocked = NULL;
        if (m->peer) {
                p = find(h, m->peer);
                r = p ? send_to(h, p, m) : -EPIPE;
                if (r == -EAGAIN)
                        h->blocked = p;
                return r;
        }
        for (unsigned left = h->count; left; left--) {
                p = h->peers;
                h->peers = p->next;
                r = send_to(h, p, m);
                if (r != -EAGAIN && r != -EPIPE && r != -ECONNRESET)
                        return r;
        }
        return -EAGAIN;
}

/* Newcomers, and what the timer says. Cheap: the set is not asked, who has room is found by trying. */
static void look_for_peers(struct hub *h)
{
        uint64_t times;

        h->since_look = 0;
        if (h->paused && sys_read("has the while passed", h->timer, &times, sizeof(times)) > 0)
                (void)listen_again(h);
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
                if (events[i].events & (EPOLLHUP | EPOLLERR) && events[i].data.ptr != h->listener)
                        drop(h, events[i].data.ptr);
        return MIN(n, 0);
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
        for (unsigned i = 0; i < LISTENER_TURN; i++) {
                r = h->listener->ops->accept(h->listener, out);
                if (r != -ECONNABORTED)
                        return r;
        }
        return -EAGAIN;
}

static int hub_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        struct hub *h = of(link);

        if (error == EOPNOTSUPP && h->handing) {
                (void)why_set(why, error, "%s: this link hands out conversations (ipw_accept) and has no messages of its own",
                              h->listener->name);
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
        r = open_set(h);
        if (r < 0) {
                (void)why_call(why, r, listener->name, "cannot watch many peers");
                hub_close(&h->link, 0);
                return r;
        }
        *out = &h->link;
        return 0;
}
