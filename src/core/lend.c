/* SPDX-License-Identifier: MIT */
/*
 * Messages in place. The link knows its memory; what is alike for all that lend stands here: one loan at a time in each direction, nothing else sent or
 * received meanwhile, spans that cannot be the link's, the wait, the counters.
 *
 * A loan is remembered in the handle as the reason why a send or receive does not begin (`refused`), which is looked at anyway: lending costs
 * those who do not use it nothing.
 */
#include <errno.h>

#include "clock.h"
#include "handle.h"

static ssize_t trouble(struct ipw_link *l, unsigned direction, ssize_t error, const char *words)
{
        (void)handle_trouble(l, direction, error, 0);
        l->last[direction - 1].words = words;
        return error;
}

static const char none[] = "does not lend memory; send and receive copies there: ipw_send(), ipw_recv()";
static const char not_these[] = "these are not the spans that are lent at this moment";

static void count(uint64_t *counter, uint64_t more)
{
        __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

static void begin(struct ipw_link *l, unsigned direction, size_t n, size_t size)
{
        l->lent[direction - 1].spans = n;
        l->lent[direction - 1].left = n;
        l->lent[direction - 1].size = size;
        l->refused[direction - 1] = -EBUSY;
}

static void end(struct ipw_link *l, unsigned direction)
{
        l->lent[direction - 1].spans = 0;
        l->refused[direction - 1] = 0;
}

/* May the first n of what is lent be given back? */
static always_inline int check(const struct ipw_link *l, unsigned direction, size_t n)
{
        if (unlikely(!*l->alive))
                return -ESTALE;
        return likely(l->lent[direction - 1].spans && n <= l->lent[direction - 1].spans) ? 0 : -EINVAL;
}

ssize_t ipw_claim(struct ipw_link *l, size_t size, struct ipw_span *spans, size_t n, int64_t timeout)
{
        const struct link_ops *ops = l->link->ops;
        ssize_t r = handle_may(l, IPW_SEND);

        if (unlikely(r == 0 && !ops->claim))
                return trouble(l, IPW_SEND, -EOPNOTSUPP, none);
        if (unlikely(r == 0 && (size > l->link->caps.max_msg || size < l->link->caps.min_msg)))
                r = -EMSGSIZE;
        if (unlikely(r < 0 || n == 0))
                return r < 0 ? handle_trouble(l, IPW_SEND, r, size) : 0;
        r = ops->claim(l->link, size, spans, n);
        if (unlikely((r == -EAGAIN && timeout != 0) || r == -EINTR)) {
                int64_t until = clock_deadline(timeout);

                while ((r = handle_again(l, IPW_SEND, until, r)) == 0)
                        r = ops->claim(l->link, size, spans, n);
        }
        if (unlikely(r < 0))
                return handle_trouble(l, IPW_SEND, r, size);
        begin(l, IPW_SEND, (size_t)r, size);
        return r;
}

ssize_t ipw_commit(struct ipw_link *l, const struct ipw_span *spans, size_t n)
{
        ssize_t r = check(l, IPW_SEND, n);
        uint64_t bytes = 0;
        size_t sent = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                if (unlikely(spans[i].inside[1]))
                        continue;
                if (unlikely(spans[i].size > l->lent[IPW_SEND - 1].size || spans[i].size < l->link->caps.min_msg))
                        return trouble(l, IPW_SEND, -EMSGSIZE,
                                       "a span is larger than it was claimed, or smaller than a message can be here");
                bytes += spans[i].size;
                sent++;
        }
        if (likely(r == 0)) {
                r = l->link->ops->commit(l->link, spans, n);
                if (r != -EINVAL)
                        end(l, IPW_SEND);
        }
        if (unlikely(r < 0))
                return trouble(l, IPW_SEND, r, r == -EINVAL ? not_these : NULL);
        count(&l->link->stats.sent, sent);
        count(&l->link->stats.sent_bytes, bytes);
        return (ssize_t)sent;
}

int ipw_abandon(struct ipw_link *l, struct ipw_span *spans, size_t n)
{
        int r = check(l, IPW_SEND, n);

        for (size_t i = 0; r == 0 && i < n; i++)
                r = spans[i].inside[1] ? -EINVAL : 0;
        if (r == 0 && n > l->lent[IPW_SEND - 1].left)
                r = -EINVAL;
        for (size_t i = 0; r == 0 && i < n; i++)
                spans[i].inside[1] = 1;
        if (r == 0 && (l->lent[IPW_SEND - 1].left -= n) == 0) {
                r = l->link->ops->commit(l->link, spans, 0);
                end(l, IPW_SEND);
        }
        return r < 0 ? (int)trouble(l, IPW_SEND, r, r == -EINVAL ? not_these : NULL) : 0;
}

ssize_t ipw_borrow(struct ipw_link *l, struct ipw_span *spans, size_t n, int64_t timeout)
{
        const struct link_ops *ops = l->link->ops;
        ssize_t r = handle_may(l, IPW_RECV);

        if (unlikely(r == 0 && !ops->borrow))
                return trouble(l, IPW_RECV, -EOPNOTSUPP, none);
        if (unlikely(r < 0 || n == 0))
                return r < 0 ? handle_trouble(l, IPW_RECV, r, 0) : 0;
        r = ops->borrow(l->link, spans, n);
        if (unlikely((r == -EAGAIN && timeout != 0) || r == -EINTR)) {
                int64_t until = clock_deadline(timeout);

                while ((r = handle_again(l, IPW_RECV, until, r)) == 0)
                        r = ops->borrow(l->link, spans, n);
        }
        if (unlikely(r < 0))
                return handle_trouble(l, IPW_RECV, r, 0);
        begin(l, IPW_RECV, (size_t)r, 0);
        return r;
}

int ipw_give_back(struct ipw_link *l, const struct ipw_span *spans, size_t n)
{
        int r = check(l, IPW_RECV, n);
        uint64_t bytes = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                bytes += spans[i].size;
        if (likely(r == 0)) {
                r = l->link->ops->give_back(l->link, spans, n);
                if (r != -EINVAL)
                        end(l, IPW_RECV);
        }
        if (unlikely(r < 0))
                return (int)trouble(l, IPW_RECV, r, r == -EINVAL ? not_these : NULL);
        count(&l->link->stats.received, n);
        count(&l->link->stats.received_bytes, bytes);
        return 0;
}
