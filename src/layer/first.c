/* SPDX-License-Identifier: MIT */
/*
 * One to one, and both ways: the first peer is taken, and at that moment everybody else is refused, so that nobody talks to a link that will never
 * listen to him. A link of which conversations are accepted never has one of its own.
 *
 * Sending and receiving may be two threads, and either may meet the first peer: a lock is held for that moment and never again. The thread that sleeps
 * on the listening descriptor meanwhile is woken because shutting it makes it ready; the descriptor stays open, so its number cannot become
 * something else under the sleeper. For the caller's own loop, whose descriptor must stay the same, there is an epoll set per direction: first it
 * holds the listener, then the peer.
 */
#include "first.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "sys.h"
#include "why.h"

struct first {
        struct link link;
        struct listener *listener;
        pthread_mutex_t lock;
        struct link *peer;    /* atomic; set once */
        struct link *waiting; /* has come, and could not be taken in; what it has sent is acknowledged; under the lock */
        bool handing;         /* conversations are handed out; under the lock */
        int sets[2];          /* by direction - 1; -1: not asked for; under the lock */
};

static struct first *of(struct link *link)
{
        return container_of(link, struct first, link);
}

static struct link *peer_of(struct first *f)
{
        return __atomic_load_n(&f->peer, __ATOMIC_ACQUIRE);
}

/* What to poll of a link for the caller's own loop. */
static int pollfd_of(struct link *link, unsigned direction, struct pollfd *out)
{
        return link->ops->pollfd ? link->ops->pollfd(link, direction, out) : link->ops->watch(link, direction, out);
}

static int set_peer(struct first *f, struct link *peer, unsigned direction)
{
        struct pollfd p;
        struct epoll_event event = { 0 };
        int r = pollfd_of(peer, direction, &p);

        event.events = (uint32_t)p.events; /* POLLIN and POLLOUT are EPOLLIN and EPOLLOUT */
        if (r == 0)
                r = sys_epoll_ctl("the first peer", f->sets[direction - 1], EPOLL_CTL_ADD, p.fd, &event);
        return r == -EEXIST ? 0 : r; /* an earlier try came so far */
}

/* The next peer, passing over those that are not taken. */
static int next_peer(struct first *f, struct link **peer)
{
        struct listener *l = f->listener;
        int r = -EAGAIN;

        *peer = steal(&f->waiting);
        if (*peer)
                return 0;
        for (unsigned i = 0; i < LISTENER_TURN; i++) {
                r = l->ops->accept(l, peer);
                if (r != -ECONNABORTED)
                        return r;
        }
        return -EAGAIN;
}

/* Under the lock. */
static int meet_first(struct first *f)
{
        struct link *peer;
        int r;

        if (f->peer)
                return 0;
        if (f->handing)
                return -EOPNOTSUPP;
        r = next_peer(f, &peer);
        if (r < 0)
                return r;
        for (unsigned i = 0; r == 0 && i < COUNT_OF(f->sets); i++)
                if (f->sets[i] >= 0)
                        r = set_peer(f, peer, i + 1);
        if (r < 0) {
                f->waiting = peer;
                return r;
        }
        for (unsigned i = 0; i < COUNT_OF(f->sets); i++)
                if (f->sets[i] >= 0)
                        (void)sys_epoll_ctl("nobody else is waited for", f->sets[i], EPOLL_CTL_DEL, f->listener->fd, NULL);
        __atomic_store_n(&f->link.stats.peers, 1, __ATOMIC_RELAXED);
        f->link.stranger_until = peer->stranger_until;
        __atomic_store_n(&f->link.stranger, peer->stranger, __ATOMIC_RELEASE);
        __atomic_store_n(&f->peer, peer, __ATOMIC_RELEASE);
        f->listener->ops->shut(f->listener);
        return 0;
}

static int meet(struct first *f, struct link **out)
{
        int r = 0;

        *out = peer_of(f);
        if (likely(*out != NULL))
                return 0;
        (void)pthread_mutex_lock(&f->lock);
        r = meet_first(f);
        (void)pthread_mutex_unlock(&f->lock);
        *out = peer_of(f);
        return r;
}

/* Has the other side said by now who it is? */
static void acquaint(struct first *f, const struct link *peer)
{
        if (unlikely(__atomic_load_n(&f->link.stranger, __ATOMIC_RELAXED)))
                __atomic_store_n(&f->link.stranger, __atomic_load_n(&peer->stranger, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static void mirror(uint64_t *ours, uint64_t theirs)
{
        if (unlikely(*ours != theirs))
                __atomic_store_n(ours, theirs, __ATOMIC_RELAXED); /* read by ipw_link_stats() of any thread */
}

/* The peer's counters are ours. Each direction has its own. */
static void account(struct first *f, const struct link *peer, unsigned direction)
{
        struct ipw_stats *ours = &f->link.stats;

        if (direction == IPW_SEND) {
                mirror(&ours->unsettled, peer->stats.unsettled);
                return;
        }
        mirror(&ours->dropped, peer->stats.dropped);
        mirror(&ours->discarded, peer->stats.discarded);
        mirror(&ours->fds_closed, peer->stats.fds_closed);
}

static ssize_t first_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct link *peer;
        ssize_t r = meet(of(link), &peer);

        if (r < 0)
                return r;
        r = peer->ops->send(peer, m, n, flags);
        account(of(link), peer, IPW_SEND);
        acquaint(of(link), peer);
        return r;
}

static ssize_t first_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct link *peer;
        ssize_t r = meet(of(link), &peer);

        if (r < 0)
                return r;
        r = peer->ops->recv(peer, m, n, flags);
        account(of(link), peer, IPW_RECV);
        acquaint(of(link), peer);
        return r;
}

static int first_give_up(struct link *link, const struct ipw_message *m)
{
        struct link *peer = peer_of(of(link));

        int r = peer && peer->ops->give_up ? peer->ops->give_up(peer, m) : 0;

        if (peer)
                account(of(link), peer, IPW_SEND);
        return r;
}

static int first_flush(struct link *link)
{
        struct link *peer = peer_of(of(link));

        int r = peer && peer->ops->flush ? peer->ops->flush(peer) : 0;

        if (peer)
                account(of(link), peer, IPW_SEND);
        return r;
}

static int first_finish(struct link *link)
{
        struct link *peer;
        int r = meet(of(link), &peer);

        if (r < 0)
                return r;
        return peer->ops->finish ? peer->ops->finish(peer) : -EOPNOTSUPP;
}

static int first_turn(struct link *link)
{
        struct first *f = of(link);
        struct link *peer;
        int r;

        if (f->handing)
                return 0;
        r = meet(f, &peer);
        if (r < 0)
                return r == -EAGAIN ? 0 : r;
        r = peer->ops->turn ? peer->ops->turn(peer) : 0;
        account(f, peer, IPW_SEND); /* what was accepted may be settled */
        return r;
}

static int first_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        struct first *f = of(link);
        struct link *peer = peer_of(f);

        if (peer)
                return peer->ops->watch(peer, direction, out);
        *out = (struct pollfd){ .fd = f->listener->fd, .events = POLLIN };
        return 0;
}

/* Under the lock. */
static int make_set(struct first *f, unsigned direction)
{
        struct epoll_event event = { .events = EPOLLIN };
        int *set = &f->sets[direction - 1];
        int r;

        if (*set >= 0)
                return 0;
        *set = sys_epoll_create("one descriptor for the listener, then the peer");
        if (*set < 0)
                return *set;
        r = f->peer ? set_peer(f, f->peer, direction) : sys_epoll_ctl("whoever dials first", *set, EPOLL_CTL_ADD, f->listener->fd, &event);
        if (r < 0) {
                sys_closep(set);
                *set = -1;
        }
        return r;
}

static int first_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct first *f = of(link);
        int r;

        (void)pthread_mutex_lock(&f->lock);
        r = make_set(f, direction);
        (void)pthread_mutex_unlock(&f->lock);
        if (r < 0)
                return r;
        *out = (struct pollfd){ .fd = f->sets[direction - 1], .events = POLLIN };
        return 0;
}

static int first_accept(struct link *link, struct link **out)
{
        struct first *f = of(link);
        int r;

        (void)pthread_mutex_lock(&f->lock);
        f->handing = !f->peer;
        r = f->handing ? next_peer(f, out) : -EBUSY;
        (void)pthread_mutex_unlock(&f->lock);
        return r;
}

static int first_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        struct first *f = of(link);
        struct link *peer = peer_of(f);

        if (error == EOPNOTSUPP && f->handing) {
                (void)why_set(why, error, "%s: this link hands out conversations (ipw_accept) and has none of its own", f->listener->name);
                return 0;
        }
        if (error == EBUSY || !peer)
                return listener_why(f->listener, peer != NULL, error, why);
        return peer->ops->why ? peer->ops->why(peer, direction, error, why) : -ENOENT;
}

static void first_close(struct link *link, int inherited)
{
        struct first *f = of(link);

        if (f->peer)
                f->peer->ops->close(f->peer, inherited);
        if (f->waiting)
                f->waiting->ops->close(f->waiting, inherited);
        f->listener->ops->close(f->listener, inherited);
        for (unsigned i = 0; i < COUNT_OF(f->sets); i++)
                sys_closep(&f->sets[i]);
        (void)pthread_mutex_destroy(&f->lock);
        free(f);
}

static const struct link_ops first_ops = {
        .send = first_send,
        .recv = first_recv,
        .give_up = first_give_up,
        .flush = first_flush,
        .finish = first_finish,
        .turn = first_turn,
        .watch = first_watch,
        .pollfd = first_pollfd,
        .accept = first_accept,
        .why = first_why,
        .close = first_close,
};

int first_new(struct listener *listener, struct link **out, struct ipw_why *why)
{
        struct first *f = sys_alloc("a listening link", sizeof(*f));

        if (!f) {
                listener->ops->close(listener, 0);
                return why_set(why, ENOMEM, "out of memory while opening a listening link");
        }
        f->link.ops = &first_ops;
        f->link.caps = listener->caps;
        f->link.caps.flags |= IPW_CAP_ACCEPT;
        f->listener = listener;
        (void)pthread_mutex_init(&f->lock, NULL); /* cannot fail without attributes */
        f->sets[0] = f->sets[1] = -1;
        *out = &f->link;
        return 0;
}
