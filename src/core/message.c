/* SPDX-License-Identifier: MIT */
/*
 * Messages: try; if that would wait, spin, then sleep, then try again, until the caller's time is up.
 *
 * A send has three outcomes, and which one is decided here: done; certainly not delivered; accepted. Only when the caller stops waiting in the middle of
 * a message is it the link's turn to say (give_up) whether the part that moved can be taken back.
 */
#include <errno.h>

#include "clock.h"
#include "handle.h"
#include "message.h"
#include "sys.h"

/* Looks again for up to l->spin ns. The first look was made already. */
#define SPIN(l, r, attempt)                                    \
        do {                                                   \
                int64_t until_ = clock_now() + (l)->spin;      \
                while ((r) == -EAGAIN && clock_now() < until_) \
                        (r) = (attempt);                       \
        } while (0)

static void count(uint64_t *counter, uint64_t more)
{
        __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/* What a message may not ask of this link. */
static always_inline int check(const struct ipw_link *l, const struct ipw_message *m, size_t size)
{
        const struct ipw_caps *caps = &l->link->caps;

        if (unlikely(size > caps->max_msg || size < caps->min_msg))
                return -EMSGSIZE;
        if (unlikely((m->type && !(caps->flags & IPW_CAP_TYPES)) || m->priority > caps->max_priority || m->fd_count > caps->max_fds))
                return -EOPNOTSUPP;
        return 0;
}

/* The first message is the link's now. */
static ssize_t count_accepted(struct ipw_link *l, const struct ipw_message *m)
{
        count(&l->link->stats.sent, 1);
        count(&l->link->stats.sent_bytes, message_size(m));
        return -EINPROGRESS;
}

/* The caller waits no longer. What was begun is settled or taken back. */
static ssize_t stop_sending(struct ipw_link *l, const struct ipw_message *m, ssize_t error)
{
        int r = l->link->ops->give_up ? l->link->ops->give_up(l->link, m) : 0;

        return r == -EINPROGRESS ? count_accepted(l, m) : error;
}

/* `r` is what the first try said: -EAGAIN or -EINTR. */
static ssize_t send_waiting(struct ipw_link *l, const struct ipw_message *m, size_t n, int64_t timeout, ssize_t r)
{
        int64_t until = clock_deadline(timeout);

        if (l->spin)
                SPIN(l, r, l->link->ops->send(l->link, m, n, 0));
        while ((r = handle_again(l, IPW_SEND, until, r)) == 0)
                r = l->link->ops->send(l->link, m, n, handle_flags(l, timeout));
        if (r == -EINPROGRESS)
                return count_accepted(l, m);
        if (r == -ETIMEDOUT || r == -EINTR || r == -ECANCELED)
                r = stop_sending(l, m, r == -ETIMEDOUT && timeout == 0 ? -EAGAIN : r);
        return r;
}

static always_inline ssize_t send_some(struct ipw_link *l, const struct ipw_message *m, size_t n, int64_t timeout)
{
        ssize_t r;

        r = l->link->ops->send(l->link, m, n, l->spin ? 0 : handle_flags(l, timeout));
        if (unlikely(r == -EAGAIN && timeout == 0))
                r = stop_sending(l, m, r);
        else if (unlikely(r == -EAGAIN || r == -EINTR))
                r = send_waiting(l, m, n, timeout, r);
        else if (unlikely(r == -EINPROGRESS))
                r = count_accepted(l, m);
        return r;
}

/* The end of a send of one message, whose first try said `r`. */
static ssize_t send_ended(struct ipw_link *l, const struct ipw_message *m, int64_t timeout, ssize_t r)
{
        size_t size = message_size(m);

        if (r == -EAGAIN && timeout == 0)
                r = stop_sending(l, m, r);
        else if (r == -EAGAIN || r == -EINTR)
                r = send_waiting(l, m, 1, timeout, r);
        else if (r == -EINPROGRESS)
                r = count_accepted(l, m);
        if (r < 0)
                return handle_trouble(l, IPW_SEND, r, size);
        count(&l->link->stats.sent, 1);
        count(&l->link->stats.sent_bytes, size);
        return (ssize_t)size;
}

static ssize_t send_otherwise(struct link *link, const struct ipw_message *m, int64_t timeout, ssize_t r)
{
        return send_ended(link->handle, m, timeout, r);
}

static never_inline ssize_t send_checked(struct ipw_link *l, const struct ipw_message *m, int64_t timeout)
{
        const struct link_ops *ops = l->link->ops;
        unsigned flags = l->spin ? 0 : handle_flags(l, timeout);
        size_t size = message_size(m);
        ssize_t r;

        r = handle_may(l, IPW_SEND);
        if (likely(r == 0))
                r = check(l, m, size);
        if (unlikely(r < 0))
                return handle_trouble(l, IPW_SEND, r, size);
        if (ops->send_one)
                return ops->send_one(l->link, m, flags, timeout);
        return send_ended(l, m, timeout, ops->send(l->link, m, 1, flags));
}

/* What is in one piece and allowed goes to the mechanism with nothing saved and nothing called on the way. */
ssize_t ipw_send(struct ipw_link *l, const struct ipw_message *m, int64_t timeout)
{
        if (unlikely(m->iov || handle_may(l, IPW_SEND) < 0 || check(l, m, m->size) < 0 || !l->link->ops->send_one))
                return send_checked(l, m, timeout);
        return l->link->ops->send_one(l->link, m, l->spin ? 0 : handle_flags(l, timeout), timeout);
}

ssize_t ipw_send_many(struct ipw_link *l, const struct ipw_message *m, size_t n, int64_t timeout)
{
        size_t good = 0, size = 0;
        ssize_t r;

        r = handle_may(l, IPW_SEND);
        for (; r == 0 && good < n; good++) {
                size = message_size(&m[good]);
                r = check(l, &m[good], size);
                if (r < 0)
                        break;
        }
        if (good == 0 && (r < 0 || n == 0))
                return r < 0 ? handle_trouble(l, IPW_SEND, r, size) : 0;
        r = send_some(l, m, good, timeout);
        if (r < 0)
                return handle_trouble(l, IPW_SEND, r, message_size(m));
        for (ssize_t i = 0; i < r; i++)
                count(&l->link->stats.sent_bytes, message_size(&m[i]));
        count(&l->link->stats.sent, (uint64_t)r);
        return r;
}

static ssize_t recv_waiting(struct ipw_link *l, struct ipw_message *m, size_t n, int64_t timeout, ssize_t r)
{
        int64_t until = clock_deadline(timeout);

        if (l->spin)
                SPIN(l, r, l->link->ops->recv(l->link, m, n, 0));
        while ((r = handle_again(l, IPW_RECV, until, r)) == 0)
                r = l->link->ops->recv(l->link, m, n, handle_flags(l, timeout));
        return r == -ETIMEDOUT && timeout == 0 ? -EAGAIN : r;
}

static always_inline ssize_t recv_some(struct ipw_link *l, struct ipw_message *m, size_t n, int64_t timeout)
{
        ssize_t r;

        r = handle_may(l, IPW_RECV);
        for (size_t i = 0; unlikely(m->fd_room) && i < n; i++)
                m[i].fd_count = 0;
        if (likely(r == 0))
                r = m->selector && unlikely(!(l->link->caps.flags & IPW_CAP_TYPES))
                            ? -EOPNOTSUPP
                            : l->link->ops->recv(l->link, m, n, l->spin ? 0 : handle_flags(l, timeout));
        if (unlikely((r == -EAGAIN && timeout != 0) || r == -EINTR))
                r = recv_waiting(l, m, n, timeout, r);
        if (unlikely(r < 0))
                return handle_trouble(l, IPW_RECV, r, m->size);
        count(&l->link->stats.received, (uint64_t)r);
        return r;
}

static ssize_t recv_ended(struct ipw_link *l, struct ipw_message *m, int64_t timeout, ssize_t r)
{
        if ((r == -EAGAIN && timeout != 0) || r == -EINTR)
                r = recv_waiting(l, m, 1, timeout, r);
        if (r < 0)
                return handle_trouble(l, IPW_RECV, r, m->size);
        count(&l->link->stats.received, 1);
        count(&l->link->stats.received_bytes, m->size);
        return (ssize_t)m->size;
}

static ssize_t recv_otherwise(struct link *link, struct ipw_message *m, int64_t timeout, ssize_t r)
{
        return recv_ended(link->handle, m, timeout, r);
}

ssize_t ipw_recv(struct ipw_link *l, struct ipw_message *m, int64_t timeout)
{
        const struct link_ops *ops = l->link->ops;
        int r;

        r = handle_may(l, IPW_RECV);
        if (unlikely(r < 0 || m->selector || m->fd_room)) {
                r = r < 0 || !m->selector || l->link->caps.flags & IPW_CAP_TYPES ? r : -EOPNOTSUPP;
                m->fd_count = m->fd_room ? 0 : m->fd_count;
        }
        if (unlikely(r < 0))
                return handle_trouble(l, IPW_RECV, r, m->size);
        if (likely(ops->recv_one))
                return ops->recv_one(l->link, m, l->spin ? 0 : handle_flags(l, timeout), timeout);
        return recv_ended(l, m, timeout, ops->recv(l->link, m, 1, l->spin ? 0 : handle_flags(l, timeout)));
}

const struct link_core message_core = { .send_otherwise = send_otherwise, .recv_otherwise = recv_otherwise };

ssize_t ipw_recv_many(struct ipw_link *l, struct ipw_message *m, size_t n, int64_t timeout)
{
        ssize_t r = n ? recv_some(l, m, n, timeout) : 0;

        for (ssize_t i = 0; i < r; i++)
                count(&l->link->stats.received_bytes, m[i].size);
        return r;
}

int ipw_finish(struct ipw_link *l)
{
        int r = handle_may(l, IPW_SEND);

        if (r == 0)
                r = l->link->ops->finish ? l->link->ops->finish(l->link) : -EOPNOTSUPP;
        return r < 0 ? (int)handle_trouble(l, IPW_SEND, r, 0) : 0;
}

int ipw_flush(struct ipw_link *l, int64_t timeout)
{
        int64_t until = clock_deadline(timeout);
        int r;

        r = handle_check(l, IPW_SEND);
        while (r == 0 && l->link->ops->flush) {
                r = l->link->ops->flush(l->link);
                if (r == 0)
                        break;
                if (r == -EAGAIN && timeout != 0)
                        r = handle_wait(l, IPW_SEND, until);
        }
        return r < 0 ? (int)handle_trouble(l, IPW_SEND, r, 0) : 0;
}

int ipw_ack(struct ipw_link *l, const struct ipw_message *m)
{
        int r = handle_check(l, IPW_RECV);

        if (r == 0 && !l->link->ops->ack)
                r = -EOPNOTSUPP;
        if (r == 0)
                do {
                        r = l->link->ops->ack(l->link, m);
                } while (r == -EINTR && !(l->how & IPW_SIGNALS));
        return r < 0 ? (int)handle_trouble(l, IPW_RECV, r, 0) : 0;
}
