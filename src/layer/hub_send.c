/* SPDX-License-Identifier: MIT */
/*
 * Sending to many. Peers stand in a ring; a message goes to the first that has room. A message for one `peer` waits for that one only. A peer that took only the
 * beginning of a message must not stop the others, and nobody else may be given that message: so it is that peer's from then on, its link
 * keeps the rest and sends it before anything else, and it counts as unsettled until then. A peer that had no room is passed over for
 * some rounds, so that one who never reads costs the others next to nothing.
 */
#include <errno.h>

#include "bytes.h"
#include "clock.h"
#include "hub_peers.h"
#include "sys.h"

enum {
        EVENTS = 64,
        PASSES_MAX = 63, /* rounds that a peer without room is passed over */
};

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

        peers_acquaint(h, p);
        if (r == -EAGAIN && !p->stranger && p->link->ops->give_up) {
                rest = *m;
                rest.flags |= IPW_DEFER;
                if (p->link->ops->give_up(p->link, &rest) == -EINPROGRESS)
                        r = 1;
        }
        p->pass_for = r == -EAGAIN ? MIN(2 * p->pass_for + 1, (unsigned)PASSES_MAX) : 0;
        p->passes = p->pass_for;
        peers_account(h, p);
        if (r == -EPIPE || r == -ECONNRESET) {
                peers_drop(h, p);
                return -EPIPE;
        }
        if (r == -EBADMSG || r == -EPROTO) {
                peers_drop_faulty(h, p, (int)r);
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
                peers_timer_fired(h);
        if (!h->paused)
                (void)peers_take_in(h);
}

ssize_t hub_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct hub *h = hub_of(link);
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

/* Of a sender: who is gone, and strangers that greet. */
static void turn_peer(struct hub *h, const struct epoll_event *event)
{
        struct peer *p = event->data.ptr;
        int r = 0;

        if (event->data.ptr == h->listener || event->data.ptr == &h->timer || event->data.ptr == &h->bell)
                return;
        if (p->stranger && p->link->ops->turn)
                r = p->link->ops->turn(p->link);
        peers_acquaint(h, p);
        if (r < 0 && r != -EAGAIN)
                peers_drop_faulty(h, p, r);
        else if (event->events & (EPOLLHUP | EPOLLERR))
                peers_drop(h, p);
}

int hub_send_turn(struct link *link)
{
        struct hub *h = hub_of(link);
        struct epoll_event events[EVENTS];
        int n;

        if (h->handing || h->ended)
                return 0;
        look_for_peers(h);
        n = sys_epoll_wait("who is gone", h->epoll, events, EVENTS, 0);
        for (int i = 0; i < n; i++)
                turn_peer(h, &events[i]);
        return MIN(n, 0);
}

/* What peers took the beginning of goes on its way. */
int hub_flush(struct link *link)
{
        struct hub *h = hub_of(link);
        struct peer *p = h->peers;

        h->blocked = NULL;
        for (unsigned left = h->link.stats.unsettled ? h->count : 0; left; left--) {
                struct peer *next = p->next;
                int r = p->link->stats.unsettled ? p->link->ops->flush(p->link) : 0;

                peers_account(h, p);
                if (r == -EAGAIN)
                        h->blocked = p;
                else if (r < 0)
                        peers_drop(h, p);
                p = next;
        }
        return h->blocked ? -EAGAIN : h->failed;
}
