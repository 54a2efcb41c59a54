/* SPDX-License-Identifier: MIT */
/*
 * Receiving from many. Peers known to have something stand in a queue. Each receive takes from the first and puts it at the end, so that a peer that never
 * pauses delays the others by one message each and no more; a peer that has nothing left leaves the queue. The set is asked when the queue is empty, and
 * every LOOK_EVERY receives, so that a busy peer cannot keep newcomers out. A lone peer is tried before the set is asked: that is one system call less.
 */
#include <errno.h>

#include "bytes.h"
#include "hub_peers.h"

enum {
        LOOKS = 4, /* in one call: peers that are said to have something and have not cannot keep us in it */
};

/* Have all gone that ever will have come? Only if nobody is waiting to be taken in either. */
static bool at_end(struct hub *h)
{
        if (!h->until_last || !h->had_peers || h->count || peers_take_in(h) != -EAGAIN || h->count)
                return false;
        h->listener->ops->shut(h->listener);
        (void)peers_listen_again(h); /* what is shut polls ready for ever, so a loop sees the end too */
        return h->ended = true;
}

/* One try at the first of the queue. -EAGAIN: it has nothing, or is gone. */
static ssize_t recv_first(struct hub *h, struct ipw_message *m, size_t n)
{
        struct peer *p = peers_unqueue(h);
        ssize_t r = p->link->ops->recv(p->link, m, n, 0);

        peers_acquaint(h, p);
        if (likely(r > 0 || r == -EAGAIN))
                peers_account(h, p);
        if (likely(r > 0)) {
                for (ssize_t i = 0; i < r; i++) {
                        m[i].peer = p->id;
                        m[i].flags |= IPW_HAS_PEER;
                }
                peers_queue(h, p);
                return r;
        }
        if (r == -EMSGSIZE || peers_is_want(r)) {
                peers_put_first(h, p); /* it comes with the next call */
                return r;
        }
        if (r == -EAGAIN)
                return r;
        if (r == -EINTR) {
                peers_queue(h, p);
                return r;
        }
        peers_drop_faulty(h, p, (int)r);
        return -EAGAIN;
}

static ssize_t recv_any(struct hub *h, struct ipw_message *m, size_t n, unsigned flags)
{
        unsigned looks = 0;
        ssize_t r;

        if (!h->ready && h->count == 1)
                peers_queue(h, h->peers);
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
                        r = peers_look(h, flags & LINK_SLEEP && !h->ready ? -1 : 0);
                        if (r < 0)
                                return r;
                        if (r == 0 && !h->ready)
                                return -EAGAIN;
                }
        }
}

ssize_t hub_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct hub *h = hub_of(link);
        ssize_t r;

        if (unlikely(h->handing))
                return -EOPNOTSUPP;
        if (unlikely(h->fault_told))
                h->faults = 0;
        r = h->ended ? -EPIPE : recv_any(h, m, n, flags);
        peers_ring(h, h->ready != NULL);
        return r;
}

int hub_recv_turn(struct link *link)
{
        struct hub *h = hub_of(link);
        int n;

        if (h->handing || h->ended)
                return 0;
        n = peers_look(h, 0);
        peers_ring(h, h->ready != NULL);
        return MIN(n, 0);
}
