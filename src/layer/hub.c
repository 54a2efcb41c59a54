/* SPDX-License-Identifier: MIT */
/*
 * Many peers on one link, on the caller's thread. There is no other thread, so everything that must happen (taking peers in, dropping those that have
 * ended) happens inside receive, send and turn, and the one epoll set that stands for the link covers it all: the listener and every peer.
 *
 * A link either serves its peers itself or hands them out by accept, never both: a wait for newcomers would otherwise wake for every message.
 */
#include "hub.h"

#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "clock.h"
#include "hub_peers.h"
#include "sys.h"
#include "why.h"

static int hub_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        struct hub *h = hub_of(link);

        if (h->blocked)
                return h->blocked->link->ops->watch(h->blocked->link, direction, out);
        *out = (struct pollfd){ .fd = h->handing ? h->listener->fd : h->epoll, .events = POLLIN };
        return 0;
}

static int hub_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct hub *h = hub_of(link);
        int r = 0;

        if (h->direction == IPW_RECV && h->bell < 0) {
                r = peers_hang_bell(h);
                peers_ring(h, h->ready != NULL);
        }
        if (r == 0)
                *out = (struct pollfd){ .fd = h->epoll, .events = POLLIN };
        return r;
}

static int hub_accept(struct link *link, struct link **out)
{
        struct hub *h = hub_of(link);
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
        struct hub *h = hub_of(link);

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
        struct hub *h = hub_of(link);
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
        .turn = hub_recv_turn,
        .watch = hub_watch,
        .pollfd = hub_pollfd,
        .accept = hub_accept,
        .why = hub_why,
        .close = hub_close,
};

static const struct link_ops sending = {
        .send = hub_send,
        .flush = hub_flush,
        .turn = hub_send_turn,
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
        return peers_listen_again(h);
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
