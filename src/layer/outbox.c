/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "cleanup.h"
#include "message.h"
#include "plain.h"
#include "sys.h"

int outbox_open(struct outbox *b, struct stream *s, const struct outbox_encoding *encoding, size_t limit, uint64_t *unsettled)
{
        *b = (struct outbox){ .stream = s, .encoding = *encoding, .limit = limit, .unsettled = unsettled };
        b->bytes = sys_alloc("where messages are put together for a write", limit);
        return b->bytes ? 0 : -ENOMEM;
}

void outbox_close(struct outbox *b)
{
        free(b->bytes);
        free(b->room);
}

static void reset(struct outbox *b)
{
        b->from = b->to = b->done = b->fd_count = 0;
        b->begun = b->moved = b->staged = false;
}

static inline bool may_go_on(ssize_t error)
{
        return error == -EAGAIN || error == -EINTR;
}

static ssize_t write_with_fds(struct outbox *b, unsigned flags)
{
        struct iovec iov = { b->bytes + b->from, b->to - b->from };
        ssize_t n = b->stream->ops->write_fds(b->stream, &iov, 1, flags, b->fds, b->fd_count);

        if (n > 0)
                b->fd_count = 0;
        return n;
}

/* Writes what is staged. 0: all of it is gone. */
static always_inline int push(struct outbox *b, unsigned flags)
{
        while (b->from < b->to) {
                ssize_t n = unlikely(b->fd_count) ? write_with_fds(b, flags)
                                                  : plain_write(b->stream, b->bytes + b->from, b->to - b->from, flags);

                if (n < 0)
                        return (int)n;
                b->from += (size_t)n;
                b->moved = true;
        }
        b->from = b->to = 0;
        return 0;
}

static void take_fds(struct outbox *b, const struct ipw_message *m)
{
        b->fds = m->fds;
        b->fd_count = m->fd_count;
}

/* Sends the message that is under way, from where it is, to its end. */
static int finish(struct outbox *b, const struct ipw_message *m, unsigned flags)
{
        size_t size = message_size(m), took;
        int r;

        for (;;) {
                r = push(b, flags);
                if (r < 0)
                        break;
                if (b->staged) {
                        reset(b);
                        return 0;
                }
                if (!b->begun)
                        take_fds(b, m);
                b->to = b->encoding.stage(b->encoding.context, b->bytes, b->limit, m, b->done, size - b->done, !b->begun, &took,
                                          &b->staged);
                b->begun = true;
                b->done += took;
        }
        if (!may_go_on(r) || !b->moved)
                reset(b);
        return r;
}

/* What was accepted earlier goes before anything else. */
static int settle(struct outbox *b, unsigned flags)
{
        int r;

        if (likely(!b->accepted))
                return 0;
        r = finish(b, &b->rest, flags);
        if (may_go_on(r))
                return r;
        b->accepted = false;
        if (r < 0) {
                b->failed = r; /* stays unsettled for good */
                return r;
        }
        __atomic_store_n(b->unsettled, *b->unsettled - 1, __ATOMIC_RELAXED);
        return 0;
}

static int take_room(struct outbox *b, size_t size)
{
        char *room;

        if (size <= b->room_size)
                return 0;
        room = sys_realloc("room for what is left of a message when its sender waits no longer", b->room, size);
        if (!room)
                return -ENOMEM;
        b->room = room;
        b->room_size = size;
        return 0;
}

/* From here on the message that is under way is ours. Its bytes beyond `done` are in `room`. */
static void accept_rest(struct outbox *b, size_t left)
{
        b->rest = (struct ipw_message){ .data = b->room, .size = left };
        b->done = 0;
        b->begun = b->moved = b->accepted = true;
        __atomic_store_n(b->unsettled, *b->unsettled + 1, __ATOMIC_RELAXED);
}

/*
 * A write of several whole messages went wrong after part of it. How many of them count: those that are out, and one that is out in part, of
 * which the bytes left are staged and stay so. The others never happened.
 */
static ssize_t stop_batch(struct outbox *b, const uint32_t *ends, size_t count, const struct ipw_message *alone, int error)
{
        size_t whole = 0, start = 0;

        while (whole < count && ends[whole] <= b->from)
                start = ends[whole++];
        if (whole == count || b->from == start || !may_go_on(error)) {
                reset(b);
                return whole ? (ssize_t)whole : error;
        }
        b->to = ends[whole];
        b->begun = b->moved = b->staged = true;
        if (alone && whole == 0) { /* the caller comes again with it, or gives up */
                b->done = message_size(alone);
                return error;
        }
        accept_rest(b, 0);
        return (ssize_t)whole + 1;
}

ssize_t outbox_send(struct outbox *b, const struct ipw_message *m, size_t n, unsigned flags)
{
        size_t sent = 0;
        int r;

        r = settle(b, flags);
        if (unlikely(r < 0))
                return r;
        if (unlikely(b->begun || message_size(m) + b->encoding.overhead > b->limit)) {
                if (!b->encoding.fragments && !b->begun) {
                        r = take_room(b, message_size(m));
                        if (r < 0)
                                return r;
                }
                r = finish(b, m, flags);
                if (r < 0)
                        return r;
                sent = 1;
        }
        while (sent < n) {
                uint32_t ends[OUTBOX_BATCH];
                size_t count = 0, took;
                ssize_t moved;
                bool last;

                while (sent + count < n && count < OUTBOX_BATCH) {
                        const struct ipw_message *next = &m[sent + count];
                        size_t size = message_size(next), put;

                        if (unlikely(size + b->encoding.overhead > b->limit - b->to || (next->fd_count && count)))
                                break;
                        take_fds(b, next);
                        put = b->encoding.stage(b->encoding.context, b->bytes + b->to, b->limit - b->to, next, 0, size, true, &took, &last);
                        b->to += put;
                        ends[count++] = (uint32_t)(b->to);
                        if (unlikely(next->fd_count))
                                break;
                }
                if (count == 0)
                        break; /* a large one: it is the first of another call */
                r = push(b, flags);
                if (unlikely(r < 0)) {
                        moved = stop_batch(b, ends, count, sent ? NULL : m, r);
                        return moved > 0 ? (ssize_t)sent + moved : sent ? (ssize_t)sent : moved;
                }
                sent += count;
        }
        b->moved = false;
        b->stuck = 0;
        return (ssize_t)sent;
}

ssize_t outbox_send_on(struct outbox *b, const struct ipw_message *m, size_t end, ssize_t n, unsigned flags)
{
        uint32_t ends = (uint32_t)end;

        b->to = end;
        if (n > 0) {
                b->from = (size_t)n;
                b->moved = true;
        }
        if (n >= 0)
                n = push(b, flags);
        if (n < 0)
                return stop_batch(b, &ends, 1, m, n);
        b->moved = false;
        b->stuck = 0;
        return 1;
}

int outbox_give_up(struct outbox *b, const struct ipw_message *m)
{
        size_t left;
        bool torn = b->from > 0; /* the last write was cut short */

        if (b->accepted || !b->begun)
                return 0; /* nothing of it has moved */
        b->stuck = message_size(m);
        if (b->encoding.fragments && !torn && !(m->flags & IPW_DEFER)) {
                reset(b);
                return 0;
        }
        left = message_size(m) - b->done;
        if (take_room(b, left) < 0) {
                if (torn) { /* only a fragment that the stream split; the receiver will find out */
                        reset(b);
                        b->failed = -ENOMEM;
                        __atomic_store_n(b->unsettled, *b->unsettled + 1, __ATOMIC_RELAXED);
                        return -EINPROGRESS;
                }
                reset(b);
                return 0;
        }
        message_copy(b->room, m, b->done, left);
        accept_rest(b, left);
        return -EINPROGRESS;
}

int outbox_flush(struct outbox *b)
{
        int r = settle(b, 0);

        return r < 0 ? r : b->failed;
}

int outbox_turn(struct outbox *b)
{
        int r = settle(b, 0);

        return r == -EAGAIN ? 0 : r;
}
